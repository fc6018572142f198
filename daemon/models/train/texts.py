"""What the synthetic voices said: requests, words in random order, and words outside of the vocabulary.

The network is of phones, so what matters is that every phone comes in many neighbourhoods; the requests only make the usual ones usual.
They are older than the intent files and not made from them: the words and the graph are (daemon/models/words).
"""

import random
import re
from pathlib import Path

UNITS = "zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
LETTERS = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra tango uniform "
    "victor whiskey xray yankee zulu"
).split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = "january february march april may june july august september october november december".split()
COLOURS = "red green blue yellow orange purple white black grey pink brown".split()
KINDS = ["virtual machine", "container", "vm", "machine", "server", "node", "service", "project"]
NAMES = [
    "media server", "web server", "database", "home assistant", "mail server", "file server", "build server", "dns server", "proxy",
    "firewall", "gateway", "monitoring", "backup server", "game server", "print server", "development machine", "test machine", "wiki",
    "dashboard", "registry", "scheduler", "storage", "router", "plex", "docker", "postgres", "redis", "grafana", "jellyfin", "nextcloud",
]
ROOMS = ["kitchen", "office", "bedroom", "living room", "garage", "hall", "bathroom", "garden", "basement", "attic"]
SEARCHED = [
    "the notes", "the documents", "the logs", "the archive", "my notes", "my files", "the manual", "memory", "the history", "the projects",
]
TOPICS = [
    "backup policy", "network plan", "disk failure", "the invoice", "power budget", "the new router", "storage pool", "certificates",
    "passwords", "the meeting", "the garden", "the holiday", "cluster upgrade", "firewall rules", "the report", "the water bill",
    "fan speed", "the camera", "kernel update", "the music",
]
VERBS = [
    "restart", "start", "stop", "shut down", "reboot", "snapshot", "back up", "migrate", "pause", "resume", "suspend", "clone", "delete",
    "check", "inspect", "kill", "reset", "update", "upgrade", "monitor", "wake up", "turn on", "turn off", "open", "close", "deploy",
    "destroy", "rename", "resize", "restore",
]
SHORT = [
    "yes", "no", "confirm", "cancel", "proceed", "abort", "stand down", "stop", "okay", "yes please", "no thanks", "do it", "go ahead",
    "confirmed", "negative", "affirmative", "correct", "wrong", "wait", "yes do it", "no stop", "cancel that", "stop talking", "go on",
    "continue", "yes confirm", "jarvis", "stop listening", "approve", "deny", "approved", "denied", "that is right", "never mind",
    "hold on", "shut up", "emergency stop", "lock down",
]
TALK = [
    "hello", "hi", "hey", "thank you", "thanks", "goodbye", "please", "sorry", "help", "repeat that", "say that again", "never mind",
    "wake up", "go to sleep", "be quiet", "speak louder", "speak up", "louder", "quieter", "continue", "cancel that", "undo that",
    "what can you do", "who are you", "how are you", "what time is it", "what day is it", "what is the date", "what is the weather",
    "are you there", "that is all", "i did not say that", "i don't know", "of course", "all right",
]

# Shares of what is said.
KINDS_OF_SPEECH = [("request", 45), ("vocabulary", 25), ("strange", 22), ("mixed", 8)]
# Requests drawn to learn which words they use.
VOCABULARY_DRAWS = 60_000
WORD_LIST = Path("/usr/share/dict/words")


def number(chance):
    """One that people say: small ones more often."""
    draw, unit = chance.random(), lambda: chance.choice(UNITS[1:])
    if draw < 0.35:
        return chance.choice(UNITS)
    if draw < 0.5:
        return chance.choice(TEENS)
    if draw < 0.6:
        return chance.choice(TENS)
    if draw < 0.75:
        return f"{chance.choice(TENS)} {unit()}"
    if draw < 0.85:
        return f"{unit()} hundred"
    if draw < 0.93:
        return f"{unit()} hundred and {unit()}"
    if draw < 0.97:
        return f"{unit()} hundred {chance.choice(TENS)} {unit()}"
    return f"{unit()} thousand"


def digits(chance):
    """A VMID as it is spelled."""
    return " ".join(chance.choice(UNITS) for _ in range(chance.choice([2, 3, 3, 3, 4])))


def node(chance):
    """A node's name."""
    if chance.random() < 0.7:
        return chance.choice(["node ", "the node ", ""]) + chance.choice(["pve ", "pve ", "node "]) + chance.choice(UNITS[1:7])
    return "node " + chance.choice(["alpha", "bravo", "charlie", "one", "two", "three", "four"])


def thing(chance):
    """Something that can be asked about."""
    draw = chance.random()
    if draw < 0.35:
        return "the " + chance.choice(NAMES)
    if draw < 0.5:
        return chance.choice(["the ", ""]) + chance.choice(NAMES) + " " + chance.choice(["container", "virtual machine", "vm"])
    if draw < 0.65:
        return chance.choice(["the ", ""]) + chance.choice(KINDS)
    if draw < 0.85:
        return chance.choice(KINDS[:3]) + " " + chance.choice([number(chance), digits(chance)])
    if draw < 0.95:
        return node(chance)
    return chance.choice(KINDS[:3]) + " " + chance.choice(LETTERS)


# What a template's `{...}` stands for.
SLOTS = {
    "thing": thing,
    "node": node,
    "number": number,
    "hour": lambda chance: chance.choice(UNITS[1:]),
    "letter": lambda chance: chance.choice(LETTERS),
    "topic": lambda chance: chance.choice(TOPICS),
    "searched": lambda chance: chance.choice(SEARCHED),
    "room": lambda chance: chance.choice(ROOMS),
    "colour": lambda chance: chance.choice(COLOURS),
    "day": lambda chance: chance.choice(DAYS),
    "month": lambda chance: chance.choice(MONTHS),
    "verb": lambda chance: chance.choice(VERBS),
    "talk": lambda chance: chance.choice(TALK),
    "short": lambda chance: chance.choice(SHORT),
    "digits": digits,
}

# Families, how often each comes, and its templates: `(a|b|)` is a choice, of which the last may be nothing.
FAMILIES = [
    (30, [
        "{verb} {thing}", "{verb} {thing}", "{verb} {thing}", "migrate {thing} to {node}",
        "(snapshot|back up|restart|reboot) {thing} (now|tonight|tomorrow|at midnight|in {number} minutes|at {hour} o'clock|on {day})",
    ]),
    (24, [
        "(what is|what's) the status of (the cluster|{thing}|the backups|the storage|the network|the disks|the whole cluster)",
        "how hot is ({node}|the cluster|the processor|the server room)",
        "what is the temperature of {node}",
        "how much memory is {thing} using",
        "how much (disk space|memory|storage|space) is (left|free|used) (on {node}|on the cluster|)",
        "is {thing} (running|up|down|online|offline|healthy|stopped)",
        "are (all nodes|the nodes|the backups|all services) (running|up|online|healthy|finished)",
        "how is {thing} (doing|)",
        "show (me|) (the|) (status|load|processor load|memory usage|disk usage|temperature|network traffic|uptime|logs|alerts|errors|tasks) "
        "(of {thing}|for {thing}|)",
        "which (containers|virtual machines|nodes|services) are (running|stopped|down|offline|online)",
        "how many (containers|virtual machines|nodes|services|projects|backups|snapshots) (are running|are there|do we have|are stopped|failed today)",
        "when was the last (backup|snapshot|update|reboot) of {thing}",
    ]),
    (7, [
        "(list|show|show me|give me|read me) (all|the|all the|) (virtual machines|containers|nodes|projects|services|backups|snapshots|tasks|"
        "notes|reminders|alerts|logs|storage pools|networks|users|documents)",
    ]),
    (6, ["(search for|look for|find|search) {topic} in {searched}"]),
    (9, [
        "remember that {topic} is (important|on {day}|{colour}|in the {room}|due on {day}|on {node})",
        "remember that the {room} is {colour}",
        "remember that my favourite colour is {colour}",
        "what did i say about {topic}",
        "what do you know about {topic}",
        "forget (that|everything about {topic}|what i said about {topic})",
        "remind me (on {day}|tomorrow|in {number} minutes|at {hour} o'clock|tonight) about {topic}",
        "take a note {topic}",
    ]),
    (14, [
        "(how much have we spent|what have we spent|how much did we spend) (today|this week|this month|yesterday|so far)",
        "good (morning|afternoon|evening|night)",
        "{talk}",
        "set (a timer for {number} minutes|the volume to {number}|an alarm for {hour} o'clock|the temperature to {number} degrees)",
        "turn (on|off) the {room} (light|lights|fan|heating|speaker)",
        "turn the {room} (light|lights) {colour}",
        "open (the dashboard|the project|project {letter}|the console|the settings|the door)",
        "(create|start|open|close|finish|plan) (a new project|a new container|a new virtual machine|a task|a backup job|a new user)",
        "write a report about {topic}",
        "(what is|tell me) (the plan|the time|the news|the next task|the price|the address of {thing})",
        "(today|tomorrow|yesterday) is {day}",
        "{day} (the|) (first|second|third|fourth|fifth|tenth|last) of {month}",
        "increase the (memory|volume|disk|size) to {number} (gigabytes|megabytes|percent|gigs)",
        "run the (backup|update|test|script|job|report|cleanup) (again|now|tonight|)",
        "the code is {letter} {letter} ({letter}|)",
        "is it (safe|done|ready|finished|true|too hot|working)",
    ]),
    (7, ["{short}"]),
    (5, ["{number}", "{digits}", "{number} (percent|degrees|minutes|hours|seconds|days|gigabytes)"]),
]

_CHOICE = re.compile(r"\(([^()]*)\)")
_SLOT = re.compile(r"\{(\w+)\}")


def fill(template, chance):
    """One sentence of a template."""
    template = _CHOICE.sub(lambda match: chance.choice(match.group(1).split("|")), template)
    return _SLOT.sub(lambda match: SLOTS[match.group(1)](chance), template)


def request(chance):
    """With the wake word or a politeness around it, as often as people use them."""
    templates = chance.choices([templates for _, templates in FAMILIES], [weight for weight, _ in FAMILIES])[0]
    sentence, draw = fill(chance.choice(templates), chance), chance.random()
    if draw < 0.28:
        sentence = chance.choice(["jarvis ", "jarvis ", "hey jarvis ", "okay jarvis "]) + sentence
    elif draw < 0.34:
        sentence = chance.choice(["please ", "can you ", "could you ", "i want you to ", "now ", "and "]) + sentence
    if chance.random() < 0.06:
        sentence += chance.choice([" please", " jarvis", " now", " thank you"])
    return " ".join(sentence.split())


class Texts:
    """What is said, drawn from a random source."""

    def __init__(self, word_list=WORD_LIST):
        chance = random.Random(1)
        self.vocabulary = sorted({word for _ in range(VOCABULARY_DRAWS) for word in request(chance).split()})
        known = set(self.vocabulary)
        words = (line.strip() for line in word_list.read_text(encoding="utf-8").splitlines())
        self.strange = [word for word in words if re.fullmatch("[a-z]{3,11}", word) and word not in known]

    def draw(self, chance):
        """One utterance."""
        kind = chance.choices([kind for kind, _ in KINDS_OF_SPEECH], [share for _, share in KINDS_OF_SPEECH])[0]
        if kind == "request":
            return request(chance)
        if kind in ("vocabulary", "strange"):
            words = self.vocabulary if kind == "vocabulary" else self.strange
            return " ".join(chance.choice(words) for _ in range(chance.randint(2, 7)))
        words = request(chance).split()
        for _ in range(chance.randint(1, 3)):
            words.insert(chance.randint(0, len(words)), chance.choice(self.strange))
        return " ".join(words)
