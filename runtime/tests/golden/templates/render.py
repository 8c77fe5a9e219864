#!/usr/bin/env python3
"""Renders chat templates as the Python library transformers 4.57 does, and prints what comes of it.

    pip install jinja2==3.1.6
    python3 render.py FOLDER > expected.tsv     every *.jinja of FOLDER with every conversation
    python3 render.py FOLDER NAME NUMBER        the text of one, to compare

The environment is that of `transformers.utils.chat_template_utils`: an immutable sandbox with
`trim_blocks`, `lstrip_blocks`, loop controls, `generation`, its own `tojson`, `raise_exception` and
`strftime_now`, here at a fixed time.
"""
import datetime
import json
import pathlib
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2026, 3, 7, 9, 5, 2)


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("content")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def content(self, caller):
        return caller()


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.TemplateError(message)


def render(source, conversation):
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = NOW.strftime
    values = {"tools": None, "documents": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}
    values.update((name, value) for name, value in conversation.items() if name != "about")
    return environment.from_string(source).render(values)


def fnv(data):
    """FNV-1a of 64 bits."""
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 % (1 << 64)
    return value


def main(folder, only=None, number=None):
    conversations = json.loads((HERE / "conversations.json").read_text())
    if only:
        print(render((pathlib.Path(folder) / only).read_text(), conversations[int(number)]), end="")
        return
    print("# Made by render.py with jinja2", jinja2.__version__, "from the templates of llama-cpp-python 0.3.36:")
    print("# file, number of the conversation, bytes of the prompt in UTF-8, its FNV-1a; or that it is refused.")
    for path in sorted(pathlib.Path(folder).glob("*.jinja")):
        for i, conversation in enumerate(conversations):
            try:
                text = render(path.read_text(), conversation).encode()
                print(path.name, i, len(text), f"{fnv(text):016x}", sep="\t")
            except Exception:
                print(path.name, i, "refused", sep="\t")


main(*sys.argv[1:])
