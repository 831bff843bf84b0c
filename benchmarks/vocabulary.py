"""The words from which bundles are generated, and the terms that the list requests search for."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES = _words(
    "Anna Emeka Priya Jonas Leila Kenji Chloé Tomás Helena Sam Yuki Nadia Oskar Ingrid Mateo Zainab Pavel Rosa "
    "Henrik Amara Luca Farah Dmitri Sofia Malik Greta Hugo Aisha Viktor Noor"
)
SURNAMES = _words(
    "Brandt Ferreira Kowalska Okafor Raman Müller Haddad Satō Lefèvre O'Connell Tanaka Petrov Lindqvist Moreau "
    "Castellanos Nkemelu Vasquez Holmberg Ibrahim Novak Rossi Schneider Karlsson Whitfield"
)
SURNAME = "kowalska"
USUAL_DOMAIN, OTHER_DOMAIN = "example.com", "example.org"
EVERYWHERE = f"@{USUAL_DOMAIN}"

ADJECTIVES = _words(
    "Careful Friendly Fast Concise Bilingual Internal Experimental Quarterly Northern Patient Strict Creative "
    "Technical Weekly Global Senior Junior Formal Playful Private"
)
SUBJECTS = _words(
    "Invoice Contract Python Kubernetes Recipe Onboarding Incident Payroll Marketing Patent Chemistry Geography "
    "Travel Security Compliance Radiology Logistics Inventory Customer Grammar Poetry Algebra Tax Budget Insurance "
    "Procurement Roadmap Translation Accessibility Telemetry QA Database"
)
ROLES = _words(
    "Assistant Reviewer Writer Tutor Analyst Planner Explainer Summarizer Helper Coach Classifier Drafting "
    "Translator Researcher Interviewer Editor"
)
SUFFIXES = ("v2", "v3", "(EU)", "(beta)", "for Sales", "for Support", "for Finance", "2026", "long context", "low cost")
TAGS = _words(
    "finance legal hr engineering support sales research education health internal public draft approved "
    "experimental multilingual coding writing analysis vision retrieval agents evaluation archive Équipe-Nord"
)
TAG, OTHER_TAG = "finance", "legal"
CAPABILITY = "vision"

COMMON, COMMON_SHARE = "Concierge", 0.05
RARE = (
    "Quokkaflux",
    "Zebulonite",
    "Marzipanther",
    "Wyvernwick",
    "Jackdawlery",
    "Fjordvexing",
    "Obsidiary",
    "Umbrellix",
)
RARE_COPIES = 12
ABSENT = "xylqophone"
# Both words are in many names, but never in this order: no record matches, although all trigrams of the term exist.
ABSENT_PHRASE = "reviewer invoice"
TWO_LETTERS = "qa"

BASE_MODELS = _words(
    "openai/gpt-4o openai/gpt-4o-mini openai/gpt-4.1 openai/o3-mini anthropic/claude-sonnet-4 "
    "anthropic/claude-haiku-3.5 google/gemini-2.5-pro google/gemini-2.5-flash meta-llama/llama-3.3-70b-instruct "
    "meta-llama/llama-3.1-8b-instruct mistralai/mistral-large-2411 mistralai/codestral-2501 "
    "qwen/qwen2.5-72b-instruct qwen/qwq-32b deepseek/deepseek-r1 "
    "deepseek/deepseek-chat microsoft/phi-4 cohere/command-r-plus nvidia/nemotron-70b ollama/llama3.2:3b "
    "ollama/gemma3:12b ollama/qwen2.5-coder:14b amazon/nova-pro-v1 xai/grok-3"
)

SENTENCES = (
    "You are a careful colleague who answers in plain language.",
    "Ask one question back when the request is ambiguous.",
    "Never invent a figure; name the document that it comes from.",
    "Answer in the language of the question and keep technical terms in English.",
    "Prefer short paragraphs and use a table only for more than three rows.",
    "Refuse politely whatever lies outside your subject and say who could help.",
    "When you quote a policy, give its number and the date of its last change.",
    "Show the intermediate steps of every calculation.",
    "Do not repeat personal data that is not needed for the answer.",
    "Close with a list of what is still open.",
    "If the user pastes code, explain the error before you correct it.",
    "Amounts are in euros unless the user says otherwise.",
)
IN_DESCRIPTIONS = "euros"
