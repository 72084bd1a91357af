"""What all our estimators share: two classes, missing values allowed, logits, one core."""

from __future__ import annotations

from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
from scipy.special import expit  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator, ClassifierMixin  # type: ignore[import-untyped]
from sklearn.utils.multiclass import (  # type: ignore[import-untyped]
    check_classification_targets,
    type_of_target,
)
from sklearn.utils.parallel import (  # type: ignore[import-untyped]
    _get_threadpool_controller,
)
from sklearn.utils.validation import check_is_fitted, validate_data  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def one_thread() -> Any:
    """Learning on one core: the same bits everywhere, and no visitor waits for the other cores."""
    return _get_threadpool_controller().limit(limits=1)


class TwoClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator of a logit: who inherits says how it is learned and read off."""

    def fit(self, X: Floats, y: npt.ArrayLike) -> Self:
        """Learn from rows of both classes."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        self.classes_, won = np.unique(y, return_inverse=True)
        _check_two(self.classes_)
        with one_thread():
            self._fit(X, won)
        return self

    def _fit(self, X: Floats, won: Ints) -> None:
        raise NotImplementedError

    def decision_function(self, X: Floats) -> Floats:
        """The logits."""
        X = self._checked(X)
        with one_thread():
            return self._logit(X)

    def _logit(self, X: Floats) -> Floats:
        raise NotImplementedError

    def predict_proba(self, X: Floats) -> Floats:
        """The probabilities of both classes."""
        probability = expit(self.decision_function(X))
        return np.column_stack([1.0 - probability, probability])

    def predict(self, X: Floats) -> npt.NDArray[Any]:
        """The likelier class."""
        likelier = (self.decision_function(X) > 0).astype(int)
        return cast(npt.NDArray[Any], self.classes_[likelier])

    def _checked(self, X: Floats) -> Floats:
        """The rows, if they are as those it was fitted on."""
        check_is_fitted(self)
        checked = validate_data(
            self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False
        )
        return cast(Floats, checked)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags


def _check_two(classes: npt.NDArray[Any]) -> None:
    if len(classes) == 1:
        raise ValueError("Can't train when only one class is present: wins and losses are needed.")
    if len(classes) > 2:
        kind = type_of_target(classes)
        raise ValueError(f"Only binary classification is supported. The target is {kind}.")
