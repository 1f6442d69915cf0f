"""Parts of words in headers that tell of persons: "Rufnummernliste", "Rechnungsadresse", "수령인".

German, Korean, Portuguese, Spanish, French, Japanese and Chinese put into one word what English
says in several, or add endings; a list of whole words never ends.
"""

import re
from functools import cache
from typing import Final

# Found anywhere in a word.
_PARTS: Final = {
    "email": "e-?mail|mail(?=ad|box|$)|courriel|correo|전자우편|이메일|메일|電子メール|メール"
    "|邮箱|邮件|郵箱",
    "phone": "telefon|teléfon|téléphon|phone|handy(?=n|$)|rufnummer|fax(?=n|$)|celular|m[oó]vil"
    "|전화|휴대|핸드폰|연락처|팩스|電話|携帯|手机|手機|电话",
    "address": "adress|address|anschrift|straße|strasse|hausnummer|hausnr|endere[cç]"
    "|direcci[oó]n|domicil|logradouro|주소|소재지|住所|地址|所在地",
    "birth_date": "geburt|birth|nascimento|naissance|nacimiento|nascita|생년|생일|誕生|出生"
    "|生年月日",
    "bank_account": "kontonum|kontonr|bankkonto|bankverbindung|bankaccount|accountnumber"
    "|accountno|계좌|口座|银行账|銀行帳",
    "card": "kreditkart|creditcard|cardnumber|cardno|kartennummer|kartennr|cart[aã]odecr"
    "|카드번호|カード番号|卡号",
    "name": "vorname|nachname|familienname|zuname|rufname|sobrenome|apellido|cognome"
    "|pr[eé]nom|이름|성명|성함|고객명|회원명|환자명|학생명|수령인|수취인|받는|보내는|주문자"
    "|구매자|예금주|신청인|氏名|姓名|名前|受取人|宛名|名義|收件人|联系人|聯絡人",
    "text": "주민번호|주민등록|여권|외국인등록|身份证|身分證|マイナンバー"
    "|sozialversicherung|personalausweis|reisepass|ausweisnum|ausweisnr|passport|passnummer"
    "|passaporte|pasaporte",
}  # fmt: skip
# Found as the beginning of a word, with what must not follow.
_BEGINNINGS: Final = {"phone": r"mobil(?!it|iar|is)", "bank_account": r"iban"}
# Whole words.
_ALONE: Final = {
    "cpf": "text", "dni": "text", "nif": "text", "rua": "address", "calle": "address",
    "rue": "address", "avenida": "address", "tlf": "phone", "tfno": "phone", "fone": "phone",
}  # fmt: skip
# Whoever is called so is a person; with "name" in any language, or alone, it is their name.
_PEOPLE: Final = re.compile(
    r"(konto|karten|rechnungs|liefer|haupt|neu|end)?-?"
    r"(kunden?|ansprechpartner|empfänger|empfaenger|inhaber|käufer|kaeufer|besteller|absender"
    r"|auftraggeber|mieter|patient|gast|teilnehmer|mitarbeiter|benutzer|nutzer|schüler|kontakt"
    r"|kontaktperson|zahler|ansprechperson|(account|card)holder)(s|n|in|innen)?(namen?)?"
    r"|destinat[aá]ri[oa]|destinataire|remetente|remitente|comprador[a]?|acheteur|titulaire"
    r"|(customer|client|buyer|recipient|contact|holder|guest|patient|user|employee|member)names?"
)


def mask(word: str) -> str:
    """Return the mask that a word of a header asks for, in small letters; "" for none."""
    if found := _ALONE.get(word):
        return found
    return next((kind for kind, pattern in _patterns() if pattern.search(word)), "")


def is_person(word: str) -> bool:
    """Whether a word in small letters says who somebody is, or whose name it is."""
    return _PEOPLE.fullmatch(word) is not None


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    found = [(kind, re.compile(parts)) for kind, parts in _PARTS.items()]
    return found + [(kind, re.compile(rf"^{parts}")) for kind, parts in _BEGINNINGS.items()]
