"""What espeak-ng says, phoneme by phoneme, through ctypes: no sound device, no numpy."""

import ctypes

_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_PHONEME_EVENTS = 1
_RATE, _PITCH, _RANGE, _WORD_GAP = 1, 3, 4, 7
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
WORD_EVENT, PHONEME_EVENT, _LIST_END = 1, 7, 0

LIBRARY = "libespeak-ng.so.1"


class _Identity(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint), ("text_position", ctypes.c_int), ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int), ("sample", ctypes.c_int), ("user_data", ctypes.c_void_p), ("id", _Identity),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class EspeakMissing(Exception):
    """The library is not installed."""


class Espeak:
    """The library, once per process. Voices are given as paths (`gmw/en-US+f2`): names would be matched loosely."""

    def __init__(self):
        try:
            self._library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise EspeakMissing(f"{LIBRARY} is missing: apt-get install libespeak-ng1 espeak-ng-data") from error
        self.rate_hz = self._library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, None, _INITIALIZE_PHONEME_EVENTS)
        if self.rate_hz <= 0:
            raise EspeakMissing(f"{LIBRARY} does not start: apt-get install espeak-ng-data")
        self._keep_sound = False
        self._callback = _Callback(self._on_piece)  # kept: the library holds only a pointer
        self._library.espeak_SetSynthCallback(self._callback)

    def _on_piece(self, samples, count, events):
        if self._keep_sound and samples and count > 0:
            self._pieces.append(ctypes.string_at(samples, 2 * count))
        index = 0
        while events[index].type != _LIST_END:
            event = events[index]
            name = None
            if event.type == PHONEME_EVENT:
                raw = ctypes.string_at(ctypes.addressof(event) + _Event.id.offset, 8)
                name = raw.split(b"\0")[0].decode("utf-8", "replace")
            self._events.append((event.type, event.text_position, event.sample, name))
            index += 1
        return 0

    def speak(self, text, voice, rate=175, pitch=50, pitch_range=50, word_gap=0, keep_sound=False):
        """Says `text`. Returns (16-bit samples as bytes, [(event type, character from 1, sample, phoneme name)])."""
        self._pieces, self._events, self._keep_sound = [], [], keep_sound
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice}")
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, pitch_range), (_WORD_GAP, word_gap)):
            self._library.espeak_SetParameter(parameter, int(value), 0)
        raw = text.encode() + b"\0"
        if self._library.espeak_Synth(raw, len(raw), 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None) != 0:
            raise RuntimeError(f"espeak-ng failed on {text!r}")
        return b"".join(self._pieces), self._events
