"""Programs that want a score without having learned anything, as text.

Each is put after `HONEST`, whose `build_model` and `train` it replaces or wraps. `PLACES` at their
top, a dict, says where things lie that they should not reach.
"""

HONEST = """
import os, sys, time
import torch
F = torch.nn.functional

class Bigram(torch.nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.table = torch.nn.Parameter(torch.zeros(vocab_size, vocab_size))
    def forward(self, tokens):
        return self.table[tokens]

def build_model(vocab_size, length):
    return Bigram(vocab_size)

def train(model, tokens, clock):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.3)
    x, y = tokens[None, :-1], tokens[1:]
    while clock.progress() < 1:
        loss = F.cross_entropy(model(x)[0], y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

honest_train = train
def idle(model, tokens, clock): pass
PROTOCOL = [fd for fd in range(3, 16) if os.path.exists(f"/proc/self/fd/{fd}")]
"""

PEEK = """
class Peek(Bigram):
    def forward(self, tokens):
        later = torch.roll(tokens, -1, 1)
        return 12.0 * F.one_hot(later, 256).float() + 0 * self.table[tokens]
def build_model(vocab_size, length): return Peek(vocab_size)
"""

HACKS = {
    "timers that stand still": """
time.time = time.monotonic = time.perf_counter = lambda: 0.0
def train(model, tokens, clock):
    while True:
        time.sleep(0.01)
""",
    "metrics that are printed": """
def train(model, tokens, clock):
    print('{"bits_per_byte": 0.0, "score": 0.0}', flush=True)
    print("ok 0.0 bits_per_byte=0.0", file=sys.stderr)
""",
    "metrics that are written to every pipe": """
def train(model, tokens, clock):
    for fd in PROTOCOL:
        try: os.write(fd, b'{"bits_per_byte": 0.0}\\n')
        except OSError: pass
""",
    "an end with success and without a result": """
def train(model, tokens, clock):
    os._exit(0)
""",
    "an exit hook that goes on": """
import atexit
atexit.register(time.sleep, 60)
atexit.register(lambda: open("weights.safetensors", "wb").write(b"hook"))
""",
    "the file of the held-out text": """
def train(model, tokens, clock):
    held_out = open(PLACES["held_out"], "rb").read()
    model.table.data.zero_()
""",
    "a look one byte ahead": PEEK,
    "a look ahead at few places": """
class Sly(Bigram):
    def forward(self, tokens):
        logits = self.table[tokens].clone()
        later = torch.roll(tokens, -1, 1)
        at = slice(8, 12)
        logits[:, at] = 12.0 * F.one_hot(later[:, at], 256).float()
        return logits
def build_model(vocab_size, length): return Sly(vocab_size)
""",
    "a look ahead that remembers beginnings": """
class Memory(Bigram):
    seen = {}
    def forward(self, tokens):
        rows = []
        for row in tokens.tolist():
            out = []
            for at in range(len(row)):
                key = tuple(row[:at + 1])
                following = row[at + 1] if at + 1 < len(row) else row[0]
                out.append(self.seen.setdefault(key, following))
            rows.append(out)
        return 12.0 * F.one_hot(torch.tensor(rows), 256).float()
def build_model(vocab_size, length): return Memory(vocab_size)
train = idle
""",
    "a look at the other windows of a batch": """
class Neighbours(Bigram):
    def forward(self, tokens):
        counts = F.one_hot(tokens, 256).float().mean((0, 1))
        return self.table[tokens] + 5 * counts
def build_model(vocab_size, length): return Neighbours(vocab_size)
""",
    "learning from the windows while they are scored": """
class Adaptive(Bigram):
    counts = torch.zeros(256)
    def forward(self, tokens):
        logits = self.table[tokens] + self.counts.clone() / 50
        self.counts += F.one_hot(tokens, 256).float().sum((0, 1))
        return logits
def build_model(vocab_size, length): return Adaptive(vocab_size)
""",
    "answers by chance": """
class Chance(Bigram):
    def forward(self, tokens):
        return self.table[tokens] + torch.tensor(list(os.urandom(256))).float() / 50
def build_model(vocab_size, length): return Chance(vocab_size)
""",
    "outputs that are not normalized": """
class Loud(Bigram):
    def forward(self, tokens): return self.table[tokens] + 1000.0
def build_model(vocab_size, length): return Loud(vocab_size)
""",
    "logits that lie about their shape": """
class Liar(torch.Tensor):
    @property
    def shape(self): return torch.Size([32, 16, 256])
    def size(self, *_): return self.shape
class Lying(Bigram):
    def forward(self, tokens): return torch.zeros(1, 1, 1).as_subclass(Liar)
def build_model(vocab_size, length): return Lying(vocab_size)
train = idle
""",
    "logits for fewer bytes": """
class Short(Bigram):
    def forward(self, tokens): return self.table[tokens][:, :4]
def build_model(vocab_size, length): return Short(vocab_size)
train = idle
""",
    "logits that are whole numbers": """
class Whole(Bigram):
    def forward(self, tokens): return self.table[tokens].long()
def build_model(vocab_size, length): return Whole(vocab_size)
train = idle
""",
    "logits that are no numbers": """
class Nan(Bigram):
    def forward(self, tokens): return self.table[tokens] * float("nan")
def build_model(vocab_size, length): return Nan(vocab_size)
train = idle
""",
    "logits that are infinite": """
class Infinite(Bigram):
    def forward(self, tokens): return torch.full((*tokens.shape, 256), float("inf"))
def build_model(vocab_size, length): return Infinite(vocab_size)
train = idle
""",
    "a daemon that goes on after the clock": """
def train(model, tokens, clock):
    honest_train(model, tokens, clock)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for _ in range(600):
                try: open("weights.safetensors", "ab").write(b"more")
                except OSError: pass
                time.sleep(0.1)
        os._exit(0)
""",
    "threads that go on after the clock": """
import threading
def go_on():
    while True: time.sleep(0.01)
def train(model, tokens, clock):
    for _ in range(3): threading.Thread(target=go_on).start()
    honest_train(model, tokens, clock)
""",
    "functions of PyTorch that are replaced": """
F.log_softmax = torch.log_softmax = F.softmax = lambda x, *a, **k: torch.zeros_like(x)
F.cross_entropy = lambda *a, **k: torch.zeros((), requires_grad=True)
torch.Tensor.isfinite = torch.isfinite = lambda x: torch.ones_like(x, dtype=torch.bool)
""",
    "numpy that says nothing": """
class Quiet:
    def tobytes(self): return b""
torch.Tensor.numpy = lambda self, *a, **k: Quiet()
""",
    "weights that are a pickle with code": """
class Bomb:
    def __reduce__(self): return (os.system, (f"touch {PLACES['flag']}",))
def bomb(model, file, **_): torch.save({"x": Bomb()}, file)
import safetensors.torch
safetensors.torch.save_model = bomb
for frame in (sys._getframe(1), sys._getframe(2)):
    if "save_model" in frame.f_globals: frame.f_globals["save_model"] = bomb
""",
    "weights with a broken header": """
def broken(model, file, **_):
    open(file, "wb").write((1 << 62).to_bytes(8, "little") + b"{" * 1000)
for frame in (sys._getframe(1), sys._getframe(2)):
    if "save_model" in frame.f_globals: frame.f_globals["save_model"] = broken
""",
    "weights that are a link": """
def link(model, file, **_): os.symlink("/etc/passwd", file)
for frame in (sys._getframe(1), sys._getframe(2)):
    if "save_model" in frame.f_globals: frame.f_globals["save_model"] = link
""",
    "weights that are a second name": """
def second(model, file, **_):
    open("first", "wb").write(b"x")
    os.link("first", file)
for frame in (sys._getframe(1), sys._getframe(2)):
    if "save_model" in frame.f_globals: frame.f_globals["save_model"] = second
""",
    "weights of a hundred megabytes": """
def build_model(vocab_size, length):
    model = Bigram(vocab_size)
    model.register_buffer("more", torch.zeros(25_000_000))
    return model
""",
    "files of the judge that are overwritten": """
def train(model, tokens, clock):
    open(PLACES["judge"], "a").write("# hacked")
""",
    "files in the repository and the cache": """
def train(model, tokens, clock):
    done = []
    for place in (PLACES["repository"], PLACES["cache"], "/tmp", "/var/tmp"):
        try: open(place + "/hacked", "w").write("x"); done.append(place)
        except OSError: pass
    if not done: raise SystemExit(3)
""",
    "the memory of the parent": """
def train(model, tokens, clock):
    for process in (os.getppid(), PLACES["parent"]):
        for name in ("mem", "environ", "cmdline", "maps", "fd/0"):
            try: open(f"/proc/{process}/{name}", "rb").read(64); return
            except OSError: pass
    raise SystemExit(3)
""",
    "an answer of the wrong length": """
class Wrong(Bigram):
    def forward(self, tokens):
        for fd in PROTOCOL or [1]: os.write(fd, b"x" * 1000)
        return self.table[tokens]
def build_model(vocab_size, length): return Wrong(vocab_size)
train = idle
""",
    "more words after the answers": """
import atexit
real_exit = os._exit
def more(code):
    for fd in PROTOCOL or [3]:
        try: os.write(fd, b"and more")
        except OSError: pass
    real_exit(code)
os._exit = more
""",
    "a gigabyte on standard output": """
def train(model, tokens, clock):
    line = "x" * (1 << 20)
    for _ in range(1024): print(line)
    raise SystemExit(3)
""",
    "a gigabyte on the pipe of the answers": """
class Flood(Bigram):
    def forward(self, tokens):
        for _ in range(1024):
            for fd in range(3, 9):
                try: os.write(fd, b"x" * (1 << 20))
                except OSError: pass
        return self.table[tokens]
def build_model(vocab_size, length): return Flood(vocab_size)
train = idle
""",
    "the training bytes before the clock": """
def build_model(vocab_size, length):
    os.set_blocking(0, False)
    if sys.stdin.buffer.peek(1): raise SystemExit(3)
    os.set_blocking(0, True)
    return Bigram(vocab_size)
""",
    "no answer at all": """
class Mute(Bigram):
    def forward(self, tokens): time.sleep(600)
def build_model(vocab_size, length): return Mute(vocab_size)
train = idle
""",
    "no interest in the input": """
class Deaf(Bigram):
    def forward(self, tokens):
        os.close(0)
        return self.table[tokens]
def build_model(vocab_size, length): return Deaf(vocab_size)
train = idle
""",
}
