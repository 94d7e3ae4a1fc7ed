"""Added tokens in the files of a tokenizer, with expected ids. Needs: pip install transformers

added.json: a list of {"name", "files": {name: contents}, "ids": {text: ids with the marks}} from transformers' CLIPTokenizer.
The vocabulary is a small one: letters, some symbols and two merges.

    python generate_added.py              writes added.json
    python generate_added.py FILE N       writes N cases of random tokens and texts to a file
"""
import json, logging, pathlib, random, sys, tempfile
logging.disable(logging.WARNING)
from transformers import CLIPTokenizer

HERE = pathlib.Path(__file__).parent
SYMBOLS = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("<>-_!.*") + ["Ã", "¼", "â", "ĵ", "Ĳ", "ĥ"]
VOCAB = {t: i for i, t in enumerate(SYMBOLS + [s + "</w>" for s in SYMBOLS] + ["at</w>", "cat</w>", "<|startoftext|>", "<|endoftext|>"])}
N = len(VOCAB)
START, END = "<|startoftext|>", "<|endoftext|>"
TEXT_FILES = {"vocab.json": VOCAB, "merges.txt": "#version: 0.2\na t</w>\nc at</w>\n"}
NAMED = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}


def token(content, **flags):
    return {"content": content, "lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": False} | flags


def typed(content, **flags):
    return {"__type": "AddedToken"} | token(content, **flags)


def decoder(*tokens, first=N):
    return {"added_tokens_decoder": {str(first + i): t for i, t in enumerate(tokens)}}


def write(folder, files):
    for name, contents in files.items():
        (folder / name).write_text(contents if isinstance(contents, str) else json.dumps(contents, ensure_ascii=False))


def case(name, texts, config=None, text_files=True, **others):
    files = {"tokenizer_config.json": {"tokenizer_class": "CLIPTokenizer", "model_max_length": 16} | NAMED | (config or {})}
    files |= {key + ".json": value for key, value in others.items()} | (TEXT_FILES if text_files else {})
    with tempfile.TemporaryDirectory() as d:
        write(pathlib.Path(d), files)
        t = CLIPTokenizer.from_pretrained(d)
        ids = {}
        for x in texts:
            try:
                ids[x] = t(x)["input_ids"]
            except BaseException as e:  # tokenizers 0.23 panics where a token begins in the white space that another one strips
                assert "bad split" in str(e)
        return {"name": name, "files": {k: v for k, v in files.items() if k not in TEXT_FILES or not text_files},
                "text_files": text_files, "ids": ids}


def saved(name, texts, tokens, special=(), keep=()):
    """What save_pretrained writes after add_tokens: `keep` names files that stay beside tokenizer.json."""
    with tempfile.TemporaryDirectory() as d:
        d = pathlib.Path(d)
        write(d, TEXT_FILES | {"tokenizer_config.json": {"tokenizer_class": "CLIPTokenizer", "model_max_length": 16} | NAMED})
        t = CLIPTokenizer.from_pretrained(d)
        t.add_tokens(list(tokens))
        if special:
            t.add_special_tokens({"extra_special_tokens": list(special)})
        with tempfile.TemporaryDirectory() as e:
            e = pathlib.Path(e)
            t.save_pretrained(e)
            files = {p.name: json.loads(p.read_text()) for p in sorted(e.iterdir())}
            again = CLIPTokenizer.from_pretrained(e)
            return {"name": name, "files": files, "text_files": False, "ids": {x: again(x)["input_ids"] for x in texts}}


TEXTS = ["a cat", "<toy>", "<TOY>", "a <toy> cat", "a<toy>cat", "<toy><toy>", " <toy> ", "a  <toy>\t\n b", "<toy", "<toy>_", "é<toy>", "<toy>\u24d0",
         "<toy>\u0301", "\u00bd<toy>", "a\u2003<toy>\u2003b", "<toy-two> <toy>", "<|endoftext|><toy>", "<toy>.", "-<toy>-", ""]
FLAGS = ["lstrip", "rstrip", "single_word", "normalized"]


def all_cases():
    yield case("added_tokens.json", TEXTS, added_tokens={"<toy>": N})
    yield case("added_tokens.json: ids out of order and with gaps", TEXTS, added_tokens={"<toy>": N + 90, "<toy-two>": N + 7})
    yield case("added_tokens.json: special where another file says so", TEXTS, {"additional_special_tokens": ["<TOY>"]}, added_tokens={"<TOY>": N, "<toy-two>": N + 1})
    for bits in range(16):
        flags = {f: bool(bits >> i & 1) for i, f in enumerate(FLAGS)}
        yield case(f"added_tokens_decoder: {flags}", TEXTS, decoder(token("<toy>", **flags)))
    yield case("added_tokens_decoder: the longest of two", TEXTS, decoder(token("<toy"), token("<toy>"), token("<toy-two>")))
    yield case("added_tokens_decoder: tokens of the vocabulary", ["cat", "a cat</w>", "at</w>"], decoder(token("cat</w>"), token("<toy>"), token("a")))
    yield case("added_tokens_decoder: ids with gaps", TEXTS, {"added_tokens_decoder": {str(N + 50): token("<toy>"), str(N + 9): token("<toy-two>")}})
    yield case("added_tokens_decoder: one text twice", TEXTS, decoder(token("<toy>"), token("<toy>", normalized=True)))
    yield case("added_tokens_decoder: other files are not read", TEXTS, decoder(token("<toy>")), added_tokens={"<toy-two>": N + 1}, special_tokens_map={"additional_special_tokens": ["a"]})
    yield case("added_tokens_decoder: the marks", ["<|ENDOFTEXT|>", "a<|endoftext|>"], {"added_tokens_decoder": {str(N - 2): token(START, special=True), str(N - 1): token(END, normalized=True, special=True)}})
    yield case("added_tokens_decoder: capitals and marks", ["<É>", "<é>", "<e\u0301>", "a <É>"], decoder(token("<É>", normalized=True)))
    yield case("added_tokens_decoder: white space within", ["a  b", "a b", "a\tb", "a   b  a b"], decoder(token("a  b", normalized=True), token(" b", lstrip=True, rstrip=True)))
    yield case("added_tokens_decoder: no flags", TEXTS, {"added_tokens_decoder": {str(N): {"content": "<TOY>"}}})
    yield case("pad_token that the vocabulary lacks", ["<pad> a", "<PAD>"], {"pad_token": "<pad>"})
    yield case("all named tokens", ["<m> <s> <p> <c> <i>"], {"image_token": "<i>", "mask_token": "<m>", "sep_token": "<s>", "pad_token": "<p>", "cls_token": "<c>"})
    yield case("unk_token normalized", ["<|ENDOFTEXT|>"], {"unk_token": typed(END, normalized=True)})
    yield case("pad_token normalized", ["<|ENDOFTEXT|>"], {"pad_token": typed(END, normalized=True)})
    yield case("additional_special_tokens", TEXTS, {"additional_special_tokens": ["<toy>", "<toy-two>"]})
    yield case("additional_special_tokens: objects", TEXTS, {"additional_special_tokens": [typed("<toy>", normalized=True, special=True), typed("<toy-two>", rstrip=True)]})
    yield case("extra_special_tokens before additional_special_tokens", TEXTS, {"extra_special_tokens": ["<toy>"], "additional_special_tokens": ["<toy-two>"]})
    yield case("extra_special_tokens: an object", TEXTS, {"extra_special_tokens": {"toy_token": "<toy>"}})
    yield case("special_tokens_map.json: additional_special_tokens", TEXTS, special_tokens_map=NAMED | {"additional_special_tokens": ["<toy>", "<toy-two>"]})
    yield case("special_tokens_map.json after tokenizer_config.json", TEXTS, {"additional_special_tokens": ["<toy>"]}, special_tokens_map={"additional_special_tokens": ["<toy-two>"]})
    yield case("special_tokens_map.json and added_tokens.json", TEXTS, special_tokens_map=NAMED | {"additional_special_tokens": ["<toy>"]}, added_tokens={"<toy>": N + 1, "<toy-two>": N})
    yield case("special_tokens_map.json: pad_token normalized", ["<|ENDOFTEXT|>"], special_tokens_map={"pad_token": token(END, normalized=True)})
    from tokenizers import AddedToken
    yield saved("tokenizer.json alone", TEXTS, ["<toy>", AddedToken("<toy-two>", single_word=True, lstrip=True)], ["<É>"])


def random_case(rng, i):
    pieces = ["<", ">", "a", "b", "A", "cat", "toy", " ", "  ", "\t", "-", "_", "é", "É", "e\u0301", "½", "\u24d0", "!", "\u2003", END]
    contents = {"".join(rng.choices(pieces[:-1], k=rng.randint(1, 4))) for _ in range(rng.randint(1, 6))}
    tokens = [token(c, **{f: rng.random() < 0.4 for f in FLAGS + ["special"]}) for c in sorted(contents)]
    # Equal after clean-up, one of them is found at random.
    import unicodedata
    clean = [(t["normalized"], " ".join(unicodedata.normalize("NFC", t["content"]).lower().split()) if t["normalized"] else t["content"]) for t in tokens]
    tokens = [t for j, t in enumerate(tokens) if clean[j] not in clean[:j]]
    texts = ["".join(rng.choice(pieces) if rng.random() < 0.6 else rng.choice(tokens)["content"] for _ in range(rng.randint(1, 10))) for _ in range(30)]
    return case(f"random {i}", texts, decoder(*tokens))


if len(sys.argv) > 1:
    rng = random.Random(1)
    cases = [random_case(rng, i) for i in range(int(sys.argv[2]))]
    pathlib.Path(sys.argv[1]).write_text(json.dumps({"text_files": TEXT_FILES, "cases": cases}, ensure_ascii=False))
else:
    lines = [json.dumps(c, ensure_ascii=False) for c in all_cases()]
    (HERE / "added.json").write_text('{"text_files": ' + json.dumps(TEXT_FILES, ensure_ascii=False) + ',\n"cases": [\n' + ",\n".join(lines) + "\n]}\n")
    print(len(lines))
