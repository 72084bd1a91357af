"""What the bot asks and what an answer is worth; plain data, edited by marketers.

After a change, start the program again: it checks every line, says in one sentence what is wrong
and where, and keeps the old version for the conversations that began with it.
docs/for-marketers.md explains each part with examples.
"""

WORKFLOW_CONFIG = {
    "name": "YouShop",
    "default_locale": "en",
    # Phone numbers without a country are read as numbers of this one.
    "default_region": "IN",
    # Who gets a lead in the CRM while nobody owns it.
    "default_assignee": "CTL-Team",
    "greeting": {
        "text": "Hi! Welcome to YouShop!",
        "replies": ["Yes, go ahead", "Not now"],
    },
    "consent": {
        "text": "I agree that YouShop keeps my answers and contact details to reply to me."
        " I can take this back at any time.",
        "version": "2026-11",
        "required": True,
    },
    "questions": [
        {
            "id": 1,
            "slug": "business_type",
            "text": "What type of business do you run?",
            "type": "choice",
            "options": [
                {
                    "value": "Restaurant",
                    "synonyms": ["cafe", "café", "food", "eatery", "bakery", "dhaba", "bar"],
                },
                {
                    "value": "Retail Store",
                    "synonyms": ["retail", "shop", "store", "kirana", "supermarket", "boutique"],
                },
                {
                    "value": "Service Business",
                    "synonyms": ["services", "salon", "agency", "consulting", "repair", "clinic"],
                },
                {
                    "value": "E-commerce",
                    "synonyms": ["ecommerce", "online shop", "online store", "web shop"],
                },
                "Other",
            ],
            "step": 1,
        },
        {
            "id": 2,
            "slug": "location",
            "text": "Where is your business located?",
            "type": "text",
            "placeholder": "City or area",
            "required": False,
            "step": 2,
        },
        {
            "id": 3,
            "slug": "staff_size",
            "text": "How many people work with you?",
            "type": "choice",
            "options": [
                {
                    "value": "Just me",
                    "synonyms": ["1", "one", "only me", "solo", "alone", "myself"],
                },
                "2–5",
                "6–20",
                "21–50",
                "50+",
            ],
            "step": 3,
        },
        {
            "id": 4,
            "slug": "monthly_sales",
            "text": "What are your monthly sales, roughly?",
            "type": "choice",
            "options": ["Under ₹50K", "₹50K–₹2L", "₹2L–₹10L", "Over ₹10L"],
            "required": False,
            "step": 4,
        },
        {
            "id": 5,
            "slug": "features_interested",
            "text": "Which of these would help you most?",
            "type": "multi_choice",
            "options_from": "products",
            "required": False,
            "step": 5,
        },
    ],
    "product_text": "Have a look at what we make. What would you like to know more about?",
    "products": [
        {
            "id": "billing",
            "name": "Billing",
            "description": "Invoices and receipts in seconds, on any phone.",
        },
        {
            "id": "qr_payments",
            "name": "QR Payments",
            "description": "One code on the counter, every payment app.",
        },
        {
            "id": "inventory",
            "name": "Inventory",
            "description": "Know what is running low before customers do.",
        },
        {
            "id": "online_store",
            "name": "Online Store",
            "description": "Your catalogue on the web, orders in one place.",
        },
        {
            "id": "loyalty",
            "name": "Loyalty",
            "description": "Points and offers that bring people back.",
        },
    ],
    "contact": {
        "text": "Where can we reach you?",
        "fields": ["name", "email", "phone"],
    },
    "call_to_action_text": "Thanks {name|for your time}! What would you like to do next?",
    "calls_to_action": [
        {"id": "book_demo", "label": "Book a demo", "action": "demo_requested"},
        {"id": "talk_to_sales", "label": "Talk to sales"},
        {"id": "get_brochure", "label": "Get the brochure"},
    ],
    "closing": "Thanks {name|a lot}! We have everything we need and will be in touch soon.",
    # How the widget presents itself on a page; a page may choose otherwise in its script line.
    "widget": {
        "title": "YouShop",
        "launcher": "Chat with us",
        "position": "end",
        "theme": {"accent": "#0b5f56", "scheme": "auto"},
    },
    # What each action earns, once, or once per question, product or call to action.
    "scoring": {
        "session_opened": 5,
        "replied_to_greeting": 5,
        "answered_question": 5,
        "answered_all_questions": 10,
        "shared_contact": 10,
        "clicked_product": 5,
        "clicked_demo": 15,
        "cta_clicked": 15,
        "quick_reply": 5,
        "detailed_answer": 5,
    },
    # From how many points on a lead is sales qualified (SQL) or marketing qualified (MQL).
    "classification_thresholds": {"sql": 60, "mql": 30},
    # From how many points on somebody should call soon.
    "tiers": {"hot": 75, "warm": 50},
    "translations": {
        "hi": {
            "greeting": "नमस्ते! YouShop में आपका स्वागत है!",
            "replies": {"Yes, go ahead": "हाँ, बताइए", "Not now": "अभी नहीं"},
            "questions": {
                "business_type": {
                    "text": "आप किस तरह का व्यवसाय करते हैं?",
                    "options": {
                        "Restaurant": "रेस्टोरेंट",
                        "Retail Store": "दुकान",
                        "Service Business": "सेवा",
                        "E-commerce": "ई-कॉमर्स",
                        "Other": "अन्य",
                    },
                },
                "location": {"text": "आपका व्यवसाय कहाँ है?", "placeholder": "शहर या इलाक़ा"},
                "staff_size": {
                    "text": "आपके साथ कितने लोग काम करते हैं?",
                    "options": {"Just me": "सिर्फ़ मैं"},
                },
                "monthly_sales": {"text": "हर महीने लगभग कितनी बिक्री होती है?"},
                "features_interested": {"text": "इनमें से क्या आपके सबसे ज़्यादा काम आएगा?"},
            },
            "widget": {"launcher": "हमसे बात करें"},
            "consent": "मैं सहमत हूँ कि YouShop मुझे उत्तर देने के लिए मेरे जवाब"
            " और संपर्क विवरण रखे। यह सहमति कभी भी वापस ली जा सकती है।",
            "contact": "हम आपसे कैसे संपर्क करें?",
            "products": "हमारे उत्पाद देखिए। आप किसके बारे में और जानना चाहेंगे?",
            "calls_to_action": "धन्यवाद {name|}! अब आप क्या करना चाहेंगे?",
            "product_descriptions": {
                "billing": "किसी भी फ़ोन पर, कुछ ही पलों में बिल और रसीदें।",
                "qr_payments": "काउंटर पर एक कोड, हर पेमेंट ऐप।",
                "inventory": "ग्राहकों से पहले जानिए कि क्या कम पड़ रहा है।",
                "online_store": "वेब पर आपका कैटलॉग, सारे ऑर्डर एक जगह।",
                "loyalty": "पॉइंट और ऑफ़र, जो लोगों को वापस लाते हैं।",
            },
            "call_labels": {
                "book_demo": "डेमो बुक करें",
                "talk_to_sales": "बिक्री टीम से बात करें",
                "get_brochure": "ब्रोशर पाएँ",
            },
            "closing": "धन्यवाद {name|}! हम जल्द ही आपसे संपर्क करेंगे।",
        },
        "ar": {
            "greeting": "أهلاً! مرحباً بك في YouShop!",
            "replies": {"Yes, go ahead": "نعم، تفضل", "Not now": "ليس الآن"},
            "questions": {
                "business_type": {
                    "text": "ما نوع نشاطك التجاري؟",
                    "options": {
                        "Restaurant": "مطعم",
                        "Retail Store": "متجر",
                        "Service Business": "خدمات",
                        "E-commerce": "تجارة إلكترونية",
                        "Other": "غير ذلك",
                    },
                },
                "location": {"text": "أين يقع نشاطك؟", "placeholder": "المدينة أو المنطقة"},
                "staff_size": {
                    "text": "كم شخصاً يعمل معك؟",
                    "options": {"Just me": "أنا فقط"},
                },
                "monthly_sales": {"text": "كم تبلغ مبيعاتك الشهرية تقريباً؟"},
                "features_interested": {"text": "أي من هذه يفيدك أكثر؟"},
            },
            "widget": {"launcher": "تحدث معنا"},
            "consent": "أوافق على أن يحتفظ YouShop بإجاباتي وبيانات الاتصال بي للرد عليّ."
            " يمكنني سحب هذه الموافقة في أي وقت.",
            "contact": "كيف نتواصل معك؟",
            "products": "ألقِ نظرة على منتجاتنا. عمّ تود أن تعرف المزيد؟",
            "calls_to_action": "شكراً {name|}! ماذا تود أن تفعل الآن؟",
            "product_descriptions": {
                "billing": "فواتير وإيصالات في ثوانٍ من أي هاتف.",
                "qr_payments": "رمز واحد عند الصندوق لكل تطبيقات الدفع.",
                "inventory": "اعرف ما يوشك على النفاد قبل عملائك.",
                "online_store": "كتالوجك على الويب، وكل الطلبات في مكان واحد.",
                "loyalty": "نقاط وعروض تعيد الناس إليك.",
            },
            "call_labels": {
                "book_demo": "احجز عرضاً",
                "talk_to_sales": "تحدث إلى المبيعات",
                "get_brochure": "احصل على الكتيب",
            },
            "closing": "شكراً {name|}! سنتواصل معك قريباً.",
        },
    },
}

# What is being tried on visitors; the first variant is the control.
ACTIVE_TESTS = {
    "greeting_message": {
        "variants": {
            "A": {"greeting": "Hi! Welcome to YouShop!"},
            "B": {
                "greeting": "🔥 Transform your business with YouShop!",
                "greeting_translations": {
                    "hi": "🔥 YouShop के साथ अपने व्यवसाय को बदल दें!",
                    "ar": "🔥 غيّر نشاطك التجاري مع YouShop!",
                },
            },
        },
    },
    "question_flow": {
        "variants": {
            "A": {"order": ["business_type", "location", "staff_size"]},
            "B": {"order": ["staff_size", "business_type", "location"]},
        },
    },
}
