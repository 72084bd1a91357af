"""What a reason is called: templates per feature and language, and how strong it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lib.text import locale_chain


@dataclass(frozen=True)
class Phrases:
    """A feature's own words: where there is much (or any) of it, and little or none."""

    much: str
    little: str


@dataclass(frozen=True)
class Language:
    """The words of one language."""

    unknown: str
    odds: str
    strengths: tuple[str, str, str, str, str, str, str]
    labels: Mapping[str, str]
    phrases: Mapping[str, Phrases]
    nothing: str


# From this many evidence points on a reason is strong, plain, slight; 20 points double the odds.
STRONG, PLAIN, SLIGHT = 20.0, 7.0, 1.0

_ENGLISH = Language(
    unknown=" unknown",
    odds=", odds ×",
    strengths=(
        *("strongly against", "against", "slightly against"),
        "hardly matters",
        *("slightly for", "for", "strongly for"),
    ),
    labels={},
    phrases={
        "behavior.demo_requested.count": Phrases("Asked for a demo", "Did not ask for a demo"),
        "behavior.pricing_request.count": Phrases("Asked for prices", "Did not ask for prices"),
        "behavior.clicked_product.count": Phrases("Looked at a product", "Looked at no product"),
        "behavior.cta_clicked.count": Phrases("Followed an offer", "Followed no offer"),
        "behavior.shared_contact.count": Phrases("Shared contact details", "Shared no contact"),
        "has_email": Phrases("Gave an e-mail address", "Gave no e-mail address"),
        "has_phone": Phrases("Gave a phone number", "Gave no phone number"),
        "email_replies": Phrases("Answered e-mails", "Answered no e-mail"),
        "last_call_seconds": Phrases("Long last call", "Short last call"),
        "call_seconds": Phrases("Long calls", "Short calls"),
    },
    nothing="Nothing is known of this lead yet: this is how many of all past leads were won.",
)
_HINDI = Language(
    unknown=" अज्ञात",
    odds=", संभावना अनुपात ×",
    strengths=(
        *("मज़बूती से विपक्ष में", "विपक्ष में", "थोड़ा विपक्ष में"),
        "लगभग कोई असर नहीं",
        *("थोड़ा पक्ष में", "पक्ष में", "मज़बूती से पक्ष में"),
    ),
    labels={
        "Business type": "व्यवसाय का प्रकार",
        "Location": "स्थान",
        "Staff size": "कर्मचारियों की संख्या",
        "Monthly sales": "मासिक बिक्री",
        "Interested in": "रुचि",
        "Source": "स्रोत",
        "Medium": "माध्यम",
        "Campaign": "अभियान",
        "Channel": "चैनल",
        "Device": "उपकरण",
        "Language": "भाषा",
        "E-mails opened": "खोले गए ई-मेल",
        "Clicks in e-mails": "ई-मेल में क्लिक",
        "Visits to the website": "वेबसाइट पर विज़िट",
        "Calls": "कॉल",
        "Meetings": "बैठकें",
        "Points": "अंक",
    },
    phrases={
        "behavior.demo_requested.count": Phrases("डेमो माँगा", "डेमो नहीं माँगा"),
        "has_email": Phrases("ई-मेल दिया", "ई-मेल नहीं दिया"),
        "has_phone": Phrases("फ़ोन नंबर दिया", "फ़ोन नंबर नहीं दिया"),
        "last_call_seconds": Phrases("पिछली कॉल लंबी", "पिछली कॉल छोटी"),
    },
    nothing="इस लीड के बारे में अभी कुछ ज्ञात नहीं है: यह अब तक की सभी लीड की सफलता दर है।",
)
_ARABIC = Language(
    unknown=": غير معروف",
    odds="، نسبة الأرجحية ×",
    strengths=(
        *("ضد بقوة", "ضد", "ضد قليلاً"),
        "لا يكاد يؤثر",
        *("لصالحه قليلاً", "لصالحه", "لصالحه بقوة"),
    ),
    labels={
        "Business type": "نوع النشاط",
        "Location": "الموقع",
        "Staff size": "عدد الموظفين",
        "Monthly sales": "المبيعات الشهرية",
        "Interested in": "مهتم بـ",
        "Source": "المصدر",
        "Medium": "الوسيلة",
        "Campaign": "الحملة",
        "Channel": "القناة",
        "Device": "الجهاز",
        "Language": "اللغة",
        "E-mails opened": "رسائل مفتوحة",
        "Clicks in e-mails": "نقرات في الرسائل",
        "Visits to the website": "زيارات الموقع",
        "Calls": "المكالمات",
        "Meetings": "الاجتماعات",
        "Points": "النقاط",
    },
    phrases={
        "behavior.demo_requested.count": Phrases("طلب عرضاً توضيحياً", "لم يطلب عرضاً توضيحياً"),
        "has_email": Phrases("أعطى بريده الإلكتروني", "لم يعط بريده الإلكتروني"),
        "has_phone": Phrases("أعطى رقم هاتفه", "لم يعط رقم هاتفه"),
        "last_call_seconds": Phrases("المكالمة الأخيرة طويلة", "المكالمة الأخيرة قصيرة"),
    },
    nothing="لا يُعرف شيء عن هذا العميل بعد: هذه نسبة من فزنا بهم من جميع العملاء السابقين.",
)
LANGUAGES: Mapping[str, Language] = {"en": _ENGLISH, "hi": _HINDI, "ar": _ARABIC}


def language(locale: str | None) -> Language:
    """The words for a locale, else English."""
    return next((LANGUAGES[it] for it in locale_chain(locale, "en") if it in LANGUAGES), _ENGLISH)


def statement(words: Language, name: str, label: str, value: object, much: bool | None) -> str:
    """What is known of a feature, in words; `much` says whether it is above its usual value."""
    if value is None or value == "" or value == []:
        return words.labels.get(label, label) + words.unknown
    own = words.phrases.get(name)
    if own is not None and much is not None:
        return own.much if much else own.little
    shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else _short(value)
    return f"{words.labels.get(label, label)}: {shown}"


def reason(words: Language, said: str, evidence: float, odds: float) -> str:
    """A statement with its strength and direction."""
    rounded = f"{odds:.1f}" if 0.95 <= odds < 100 else f"{odds:.2g}"
    return f"{said}: {strength(words, evidence)}{words.odds}{rounded}"


def strength(words: Language, evidence: float) -> str:
    """How strong a reason is, in words."""
    size = abs(evidence)
    step = (size >= SLIGHT) + (size >= PLAIN) + (size >= STRONG)
    return words.strengths[3 + (step if evidence > 0 else -step)]


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}"
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"
