"""Tests of lib.crypto: digests, and tokens that nobody can bend."""

from __future__ import annotations

import pytest

from lib.crypto import TokenSigner, hmac_hex, same, sha256_hex, short_hash

NOW = 1_800_000_000
LATER = NOW + 60


def test_digests_are_the_published_ones() -> None:
    assert sha256_hex("abc").startswith("ba7816bf8f01cfea414140de5dae2223")
    assert sha256_hex(b"abc") == sha256_hex("abc")
    assert short_hash("abc") == "ba7816bf"
    # RFC 4231, test case 2.
    assert hmac_hex("Jefe", "what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_same_compares_any_texts() -> None:
    assert same("é\ud800", "é\ud800") and same("a", b"a")
    assert not same("a", "b") and not same("a", "aa") and not same("", "a")


def test_a_token_is_good_for_its_purpose_subject_and_time_only() -> None:
    signer = TokenSigner(["first key"])
    token = signer.sign("visitor", "sess_1", LATER)

    assert token.split(".")[:3] == ["v1", sha256_hex("first key")[:8], str(LATER)]
    assert signer.verify(token, "visitor", "sess_1", NOW)
    assert signer.verify(token, "visitor", "sess_1", LATER - 1)
    assert not signer.verify(token, "visitor", "sess_1", LATER)
    assert not signer.verify(token, "visitor", "sess_2", NOW)
    assert not signer.verify(token, "reset", "sess_1", NOW)
    assert not TokenSigner(["second key"]).verify(token, "visitor", "sess_1", NOW)


def test_two_keys_live_at_once() -> None:
    old = TokenSigner(["old", ""]).sign("visitor", "s", LATER)
    both = TokenSigner(["new", "old"])

    assert both.verify(old, "visitor", "s", NOW)
    assert TokenSigner(["new"]).verify(both.sign("visitor", "s", LATER), "visitor", "s", NOW)
    assert not TokenSigner(["new"]).verify(old, "visitor", "s", NOW)


def test_a_token_of_a_key_long_gone_is_told_from_one_of_a_key_in_use() -> None:
    gone = TokenSigner(["gone"]).sign("visitor", "s", LATER)
    old = TokenSigner(["old"]).sign("visitor", "s", LATER)
    both = TokenSigner(["new", "old"])

    assert both.knows_key_of(old)
    assert both.knows_key_of(both.sign("visitor", "another", LATER))
    assert not both.knows_key_of(gone)
    assert not both.knows_key_of("v1.x.1.y")


def test_no_changed_token_is_accepted() -> None:
    signer = TokenSigner(["k"])
    token = signer.sign("visitor", "s", LATER)
    version, key_id, expires, mac = token.split(".")
    letters = "AQgw_-.0= \n\x00é"
    changed = {
        token[:place] + letter + token[place + skip :]
        for place in range(len(token) + 1)
        for letter in letters
        for skip in (0, 1)
    }
    changed |= {token[:place] + token[place + 1 :] for place in range(len(token))}
    changed |= {f" {token}", f"{token} ", token + "\n", token.upper(), token + "=", token * 2, ""}
    changed |= {f"{version}.{key_id}.{other}.{mac}" for other in (f"0{expires}", f"+{expires}")}
    changed |= {f"{version}.{key_id}.{expires[:-1]}_{expires[-1]}.{mac}", "." * 3, "v1" * 99999}
    changed |= {f"v2.{key_id}.{expires}.{mac}", f"{version}.{key_id}.{LATER + 1}.{mac}"}
    changed.discard(token)

    assert len(changed) > 200
    assert not [other for other in changed if signer.verify(other, "visitor", "s", NOW)]
    assert signer.verify(token, "visitor", "s", NOW)


def test_a_bar_in_a_subject_moves_no_border() -> None:
    signer = TokenSigner(["k"])
    token = signer.sign("visitor", "a|v1|b", LATER)

    assert signer.verify(token, "visitor", "a|v1|b", NOW)
    with pytest.raises(ValueError):
        signer.verify(token, "visitor|v1|a", "b", NOW)
    with pytest.raises(ValueError):
        signer.sign("visitor|v1|a", "b", LATER)


def test_a_subject_of_any_characters_can_be_checked() -> None:
    signer = TokenSigner(["k"])

    assert not signer.verify(signer.sign("p", "s", LATER), "p", "\ud800", NOW)


def test_what_cannot_be_signed_is_refused() -> None:
    with pytest.raises(ValueError):
        TokenSigner(["", ""])
    for expires in (-1, 10**16, True):
        with pytest.raises(ValueError):
            TokenSigner(["k"]).sign("p", "s", expires)
