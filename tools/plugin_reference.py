#!/usr/bin/env python3
"""Writes the second half of docs/plugin-reference.md, from the comments and declarations of harness/sdk/nearfar: the headers are the contract, the page is a way to read it.

    tools/plugin_reference.py           # writes the page
    tools/plugin_reference.py --check   # exit 1 where it is not what would be written; a test

Standard library only. It knows the C++ that these headers use, and no more: a struct, class or enum becomes a table of its members; private members and what
ends in '_' are left out."""
import re
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
SDK = SOURCE / "harness/sdk/nearfar"
PAGE = SOURCE / "docs/plugin-reference.md"
MARK = "<!-- From here on: tools/plugin_reference.py, of harness/sdk/nearfar. Edit the headers. -->"
# What an author meets first, first; the others follow by name.
FIRST = ["plugin.h", "plugin_text.h", "params.h", "error.h", "postprocessor.h", "features.h", "network_batch.h", "loss.h", "explicit_gradient.h",
         "contrastive.h", "host_operator.h", "to_host.h", "c.h", "abi.h", "note.h"]
# Of these, what they are and the names they have: a page of LibTorch's operators would tell nobody more.
NAMES_ALONE = {"stable/tensor.h", "stable/functions.h"}
LEAD_ALONE = {"stable/bridge.h", "stable/call.h", "stable/plugin.h"}


def headers():
    found = sorted(str(path.relative_to(SDK)) for path in SDK.rglob("*.h"))
    return [name for name in FIRST if name in found] + [name for name in found if name not in FIRST]


def comment_of(line):
    """Text of a line that is a contract's comment, or None."""
    match = re.match(r"\s*///?<?( ?.*)$", line)
    return match[1][1:] if match and match[1].startswith(" ") else "" if match else None


def c_comment(lines, i):
    """A /* … */ that begins on line i: its lines without the decoration, and the line after it."""
    gathered = []
    while True:
        text = lines[i]
        gathered.append(re.sub(r"\s*\*/\s*$", "", re.sub(r"^\s*(/\*| \*) ?", "", text)))
        i += 1
        if "*/" in text:
            return gathered, i


def end_of_declaration(text):
    """Where the declaration at the beginning of `text` ends: behind its ';', or the '}' of a function's body."""
    depth, i = 0, 0
    head = re.match(r"[^;{]*", re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: " " * len(m[0]), text))[0]
    head = re.sub(r"operator\s*[^\s(]+", "operator", head)
    assigned, called = re.search(r"[^=!<>]=[^=]", head), head.find("(")
    body = called >= 0 and not (assigned and assigned.start() < called)
    body = body and not re.match(r"\s*(template\s*<[^>]*>\s*)?(typedef|struct|class|enum)\b", head)
    while i < len(text):
        if text.startswith("//", i):
            i = text.find("\n", i) if "\n" in text[i:] else len(text)
            continue
        if text.startswith("/*", i):
            i = text.index("*/", i) + 2
            continue
        char = text[i]
        if char in "\"'":
            i += len(re.match(r"(\"|')(?:\\.|(?!\1).)*\1", text[i:])[0])
            continue
        depth += (char in "({[") - (char in ")}]")
        i += 1
        if depth == 0 and (char == ";" or (char == "}" and body)):
            return i
    raise ValueError(f"a declaration without an end: {text[:200]}")


def items(lines):
    """(comment lines, declaration) in order; access labels, preprocessor lines and namespaces are left out, macros kept."""
    comment, i, visible = [], 0, True
    while i < len(lines):
        line = lines[i]
        stripped = line.strip()
        if stripped.startswith("/*"):
            comment, i = c_comment(lines, i)
            continue
        text = comment_of(line)
        if text is not None:
            comment = comment + [text]
            i += 1
            continue
        if not stripped:
            comment = []
            i += 1
            continue
        if stripped in ("public:", "private:", "protected:"):
            visible = stripped == "public:"
        elif stripped.startswith("#"):
            macro = [stripped]
            while lines[i].rstrip().endswith("\\"):
                i += 1
                macro.append(lines[i])
            name = re.match(r"#define (\w+(?:\([^)]*\))?)", macro[0])
            if name and visible:
                yield comment, name[0]
        elif not re.match(r"((inline )?namespace\b.*\{|extern \"C\" \{|\})", stripped):
            rest = "\n".join(lines[i:])
            end = end_of_declaration(rest)
            declaration = rest[:end]
            tail = rest[end:].split("\n", 1)[0]
            i += declaration.count("\n")
            behind = re.match(r"\s*(?://+<?|/\*)\s*(.*?)\s*(?:\*/)?$", tail)
            after = [behind[1]] if behind and not behind[1].startswith("NOLINT") else []
            if after and tail.strip().startswith("/*") and "*/" not in tail:
                more, i = c_comment(lines, i + 1)
                after, i = after + more, i - 1
            while after and i + 1 < len(lines) and re.match(r"\s*///<", lines[i + 1]):
                i += 1
                after.append(comment_of(lines[i]))
            if visible:
                yield comment + after, declaration
            i += 1
            comment = []
            continue
        comment = []
        i += 1


def escaped(text):
    return text.replace("<", "\\<").replace("*", "\\*")


def prose(lines):
    """A comment as Markdown: indented lines, and paragraphs set in columns, keep their form."""
    out, paragraph = [], []

    def close():
        if not paragraph:
            return
        columns = any(re.search(r"\S {3,}\S", line) for line in paragraph if not line.startswith("  "))
        runs = []  # [kind, lines]
        for line in paragraph:
            if line.startswith("- "):
                runs.append(["item", [line[2:]]])
            elif line.startswith("  ") and runs and runs[-1][0] == "item":
                runs[-1][1].append(line)
            elif columns or line.startswith("  "):
                runs = runs if runs and runs[-1][0] == "formed" else runs + [["formed", []]]
                runs[-1][1].append(line)
            else:
                # PROMISE. and the like begin a paragraph.
                runs = runs if runs and runs[-1][0] == "text" and not re.match(r"[A-Z]{5,}\. ", line) else runs + [["text", []]]
                runs[-1][1].append(line)
        for kind, shown in runs:
            words = escaped(" ".join(part.strip() for part in shown))
            out.append({"formed": "```text\n" + "\n".join(shown) + "\n```", "item": "- " + words, "text": words}[kind])
        paragraph.clear()

    for line in lines:
        if line.strip():
            paragraph.append(line.rstrip())
        else:
            close()
    close()
    return "\n\n".join(out)


def cell(lines):
    return escaped(" ".join(line.strip() for line in lines if line.strip())).replace("|", "\\|")


def without_body(text):
    """Up to the ')' of the parameters and what qualifies the function."""
    first, depth = text.find("(", text.find("operator()") + len("operator()") if "operator()" in text else 0), 0
    for i in range(max(first, 0), len(text) if first >= 0 else 0):
        depth += (text[i] == "(") - (text[i] == ")")
        if depth == 0:
            behind = re.match(r"((?: *(?:const|noexcept|override|final)\b)*) *(\{|:(?!:))", text[i + 1:])
            return text[:i + 1] + behind[1] if behind else text
    return text


def signature(declaration):
    """One line, without a body, a constructor's initialisers and words that say nothing to a caller."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", declaration, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text).strip()
    text = without_body(text)
    text = re.sub(r"\b(virtual|inline|NEARFAR_EXPORT|explicit) |\[\[[^]]*\]\] ", "", text)
    text = text.replace(" )", ")")
    return re.sub(r" (override|final)\b", "", text).strip().rstrip(";").strip()


def is_public(declaration):
    text = signature(declaration)
    return not re.search(r"= (default|delete)$", text) and not re.match(r"(~|#define \w*_(\(|$)|#define NEARFAR_C_H)", text) and "~" not in text.split("(")[0]


def members(declaration):
    """Of a struct, class or enum: (name or signature, comment)."""
    body = declaration[declaration.index("{") + 1:declaration.rindex("}")]
    if re.match(r"\s*(typedef )?enum", declaration):
        return list(enumerators(body))
    lines = body.split("\n")
    found = []
    if re.match(r"\s*(template[^\n]*\n\s*)?class", declaration):
        lines = ["private:"] + lines
    for comment, member in items(lines):
        if not is_public(member):
            continue
        nested = re.match(r"struct (\w+) \{", member.strip())
        if nested:
            found += [(f"{nested[1]}::{name}", text) for name, text in members(member)]
        else:
            found.append((signature(member), comment))
    return found


def enumerators(body):
    for line in body.replace(",", ",\n").split("\n") if "//" not in body and "/*" not in body else body.split("\n"):
        match = re.match(r"\s*(\w+)\s*(=\s*[^,/]+)?,?\s*(?:///<|/\*|//)?\s*(.*?)\s*(?:\*/)?$", line)
        if match and match[1]:
            yield f"{match[1]} {match[2] or ''}".strip(), [match[3]]


def heading(declaration):
    text = re.sub(r"^template <.*?>\s*", "", declaration.strip(), flags=re.DOTALL)
    match = re.match(r"(?:typedef )?(struct|class|enum class|enum)\s+(?:NEARFAR_EXPORT )?(\w+)?([^{;]*)", text)
    kind, name, rest = match[1], match[2] or "", match[3]
    base = re.search(r":\s*(.*)", rest)
    return f"{kind} {name}".strip() + (f" : {base[1].strip()}" if base else "")


def described(name):
    lines = [line for line in (SDK / name).read_text().split("\n") if not re.match(r"#(pragma|include|if|ifdef|ifndef|else|endif|undef|error)\b", line)]
    first = next(i for i, line in enumerate(lines) if line.strip())
    lead = []
    if lines[first].startswith("/*"):
        lead, first = c_comment(lines, first)
    else:
        while comment_of(lines[first]) is not None:
            lead.append(comment_of(lines[first]))
            first += 1
    out = [f"## nearfar/{name}", prose(lead)]
    if name in LEAD_ALONE:
        return out
    declared = [(comment, text) for comment, text in items(lines[first:]) if is_public(text)]
    if name in NAMES_ALONE:
        declared = [(comment, text) for comment, text in items(lines[lines.index("namespace at {"):]) if is_public(text)]
        names = set()
        for _, text in declared:
            group = [signature for signature, _ in members(text)] if re.match(r"\s*class ", text) else [signature(text)]
            names |= {match[1] for match in (re.search(r"(\w+|operator\S+) ?\(", one) for one in group) if match}
        return out + [" ".join(f"`{one}`" for one in sorted(names) if not one.endswith("__"))]
    rows = []  # constants, functions and macros between two structs

    def close():
        if rows:
            out.append("| | |\n|---|---|\n" + "\n".join(rows))
            rows.clear()

    for comment, text in declared:
        if re.match(r"\s*(template <[^>]*>\s*)?(typedef )?(struct|class|enum)\b[^;(]*\{", text):
            close()
            title = heading(text)
            out.append(f"### `{title}`" if title != "enum" else f"### `enum` {members(text)[0][0].split()[0]} …")
            if comment and prose(comment):
                out.append(prose(comment))
            table = [f"| `{member.replace('|', chr(92) + '|')}` | {cell(what)} |" for member, what in members(text)]
            if table:
                out.append("| member | |\n|---|---|\n" + "\n".join(table))
        else:
            row = f"| `{signature(text).replace('|', chr(92) + '|')}` | {cell(comment)} |"
            if row not in rows:
                rows.append(row)
    close()
    return out


def generated():
    return MARK + "\n\n" + "\n\n".join(part for name in headers() for part in described(name) if part) + "\n"


def main():
    before = PAGE.read_text()
    if MARK not in before:
        sys.exit(f"error: {PAGE}: found no line '{MARK}', below which the generated half goes")
    wanted = before.split(MARK)[0] + generated()
    if "--check" in sys.argv[1:]:
        if before != wanted:
            sys.exit(f"error: {PAGE} is not what the headers say; run tools/plugin_reference.py and look at the difference")
        return
    PAGE.write_text(wanted)


if __name__ == "__main__":
    main()
