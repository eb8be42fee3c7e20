"""C functions as z3 terms: what csrc/kernels computes in a lane, for every operand at once.

It reads the part of C in which the vector API, the predicates and the operations are written, and
refuses all else. A register is one piece of 64 bits: each instruction in a predicate or an
operation treats every 64 bits of its registers alike and apart.
"""

import functools
import re
from typing import NamedTuple

import z3


class Type(NamedTuple):
    """What a C type holds: `kind` is int, float, register, struct or void."""

    kind: str
    bits: int = 0
    signed: bool = False


class Value(NamedTuple):
    type: Type
    term: object  # a bit vector; of a struct, the values of its members


BLOCK = 64
REGISTER, VOID, STRUCT = Type("register", BLOCK), Type("void"), Type("struct")
INT, UNSIGNED, LONG = Type("int", 32, True), Type("int", 32), Type("int", 64, True)
UNSIGNED_LONG = Type("int", 64)
TYPES = {"void": VOID, "int": INT, "unsigned": UNSIGNED, "fastrelu_encoding": STRUCT}
TYPES |= {"float": Type("float", 32), "double": Type("float", 64)}
TYPES |= {f"int{bits}_t": Type("int", bits, True) for bits in (8, 16, 32, 64)}
TYPES |= {f"uint{bits}_t": Type("int", bits) for bits in (8, 16, 32, 64)}
TYPES |= {f"__m{bits}i": REGISTER for bits in (128, 256, 512)}
TYPES |= {f"__mmask{lanes}": Type("int", lanes // 8) for lanes in (8, 16, 32, 64)}  # of 512 bits
TYPES |= {
    f"{sign}{bits}x{128 // bits}_t": REGISTER
    for sign in ("int", "uint")
    for bits in (8, 16, 32, 64)
}


def number(value, type=INT):
    return Value(type, z3.BitVecVal(value, type.bits))


LIMITS = {
    f"INT{bits}_MIN": number(-(1 << bits - 1), LONG if bits == 64 else INT)
    for bits in (8, 16, 32, 64)
}
LIMITS |= {
    f"INT{bits}_MAX": number((1 << bits - 1) - 1, LONG if bits == 64 else INT)
    for bits in (8, 16, 32, 64)
}

TOKEN = re.compile(r'\s*(0x[0-9A-Fa-f]+|\d+|\w+|"[^"]*"|<<|>>|<=|>=|==|!=|&&|\|\||.)', re.S)
BINARY = [["|"], ["^"], ["&"], ["==", "!="], ["<", ">", "<=", ">="], ["+", "-"], ["*"]]


class NotUnderstoodError(Exception):
    """The C code goes beyond what this module reads."""


class Parser:
    """Reads statements and expressions into nested tuples."""

    def __init__(self, text, types):
        self.tokens = [*TOKEN.findall(text.strip()), None]
        self.types = types
        self.at = 0

    def peek(self, ahead=0):
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def take(self, wanted=None):
        token = self.peek()
        if wanted not in (None, token):
            around = " ".join(map(str, self.tokens[max(self.at - 12, 0) : self.at + 4]))
            raise NotUnderstoodError(f"{wanted} is expected at the end but three of: {around}")
        self.at += 1
        return token

    def accept(self, token):
        if self.peek() == token:
            self.at += 1
            return True
        return False

    def type_name(self):
        """Return the name of a type that stands here, or None."""
        ahead = 0
        while self.peek(ahead) in ("const", "struct"):
            ahead += 1
        if self.peek(ahead) in self.types:
            self.at += ahead + 1
            return self.tokens[self.at - 1]
        return None

    def listed(self, end, item):
        found = []
        while not self.accept(end):
            if found:
                self.take(",")
            found.append(item())
        return found

    def body(self):
        statements = []
        while self.peek() is not None:
            statements.append(self.statement())
            self.take(";")
        return statements

    def statement(self):
        if self.accept("return"):
            return "return", self.comma()
        if self.peek() == "__asm__":
            return self.assembly()
        if name := self.type_name():
            return "declare", name, [self.declarator(), *self.more(self.declarator)]
        if self.peek(1) == "=":
            return "assign", self.take(), self.take() and self.expression()
        return "evaluate", self.comma()

    def more(self, item):
        found = []
        while self.accept(","):
            found.append(item())
        return found

    def declarator(self):
        return self.take(), self.expression() if self.accept("=") else None

    def assembly(self):
        """Read an __asm__ with operands: its template and their names."""
        self.take("__asm__")
        self.take("(")
        template = ""
        while self.peek().startswith('"'):
            template += self.take()[1:-1]
        operands = []
        while self.accept(":"):
            while self.peek().startswith('"'):
                self.take()
                self.take("(")
                operands.append(self.take())
                self.take(")")
                self.accept(",")
        self.take(")")
        return "assembly", template, operands

    def comma(self):
        first = self.expression()
        return "comma", [first, *self.more(self.expression)]

    def expression(self):
        condition = self.binary(0)
        if not self.accept("?"):
            return condition
        chosen = self.expression()
        self.take(":")
        return "choose", condition, chosen, self.expression()

    def binary(self, level):
        if level == len(BINARY):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek() in BINARY[level]:
            left = "binary", self.take(), left, self.binary(level + 1)
        return left

    def unary(self):
        if self.peek() in ("-", "~", "!"):
            return "unary", self.take(), self.unary()
        if self.peek() == "(":
            start = self.at
            self.take()
            if (name := self.type_name()) and self.accept(")"):
                if self.accept("{"):
                    return "literal", name, self.listed("}", self.member_of_literal)
                return "cast", name, self.unary()
            self.at = start
        return self.postfix()

    def member_of_literal(self):
        name = None
        if self.accept("."):
            name = self.take()
            self.take("=")
        return name, self.expression()

    def postfix(self):
        if self.accept("("):
            inner = self.comma()
            self.take(")")
            return inner
        token = self.take()
        if re.fullmatch(r"0x[0-9A-Fa-f]+|\d+", token or ""):
            return "number", int(token, 0), token.startswith("0x")
        if not re.fullmatch(r"\w+", token or ""):
            raise NotUnderstoodError(f"an expression is expected, not {token}")
        if token == "memcpy":
            return self.copy()
        if self.accept("("):
            return "call", token, self.listed(")", self.expression)
        if self.accept("."):
            return "member", token, self.take()
        return "name", token

    def copy(self):
        """Read `memcpy(&to, &from, sizeof to)`."""
        self.take("(")
        self.take("&")
        to = self.take()
        self.take(",")
        self.take("&")
        source = self.take()
        for token in (",", "sizeof"):
            self.take(token)
        if self.take() not in (to, source):
            raise NotUnderstoodError(f"memcpy to {to} of another size")
        self.take(")")
        return "copy", to, source


class Function(NamedTuple):
    result: Type
    parameters: list  # of (type, name)
    body: list


class Source:
    """The functions of a preprocessed file by name, and the calls of them as z3 terms.

    instructions(name, arguments) gives the value of what is not read in C, and otherwise None.
    `overflows` collects the conditions under which a sum of signed integers overflows.
    """

    def __init__(self, text, instructions):
        self.instructions = instructions
        self.overflows = []
        self.text = text
        self.types = dict(TYPES)
        for known, names in re.findall(r"\btypedef (\w+) ([\w, ]+);", text):
            if known in self.types:
                self.types |= dict.fromkeys(re.split(r",\s*", names), self.types[known])
        found = re.finditer(r"(\w+) (\w+)\(([^()]*)\)\s*\{", text)
        self.heads = {match[2]: match for match in found}
        members = re.search(r"struct fastrelu_encoding \{(.*?)\}", text, re.S)[1]
        self.members = [
            (name, self.types[type])
            for type, names in re.findall(r"(\w+) ([\w, ]+);", members)
            for name in re.split(r",\s*", names)
        ]

    @functools.cache  # noqa: B019
    def function(self, name):
        head = self.heads[name]
        parameters = []
        for text in head[3].split(",") if head[3] != "void" else []:
            *type, parameter = re.findall(r"\w+", text)
            parameters.append((self.types[type[-1]], parameter))
        start = end = head.end()
        depth = 1
        while depth:
            depth += {"{": 1, "}": -1}.get(self.text[end], 0)
            end += 1
        body = Parser(self.text[start : end - 1], self.types).body()
        return Function(self.types[head[1]], parameters, body)

    def call(self, name, *arguments):
        if value := self.instructions(name, arguments):
            return value
        if name not in self.heads:
            raise NotUnderstoodError(f"{name} is neither defined in C nor a known instruction")
        function = self.function(name)
        values = {
            parameter: self.convert(argument, type)
            for (type, parameter), argument in zip(function.parameters, arguments, strict=True)
        }
        for statement in function.body:
            if statement[0] == "return":
                return self.convert(self.evaluate(statement[1], values), function.result)
            self.execute(statement, values)
        raise NotUnderstoodError(f"{name} returns nothing")

    def expression(self, text):
        return self.evaluate(Parser(text, self.types).expression(), {})

    def execute(self, statement, values):
        kind, *rest = statement
        if kind == "declare":
            type = self.types[rest[0]]
            for name, given in rest[1]:
                values[name] = given and self.convert(self.evaluate(given, values), type)
                if given is None:
                    values[name] = Value(type, None)
        elif kind == "assign":
            name, given = rest
            values[name] = self.convert(self.evaluate(given, values), values[name].type)
        elif kind == "assembly":
            template, operands = rest
            if template:  # without one it keeps a compiler from knowing a value
                result = self.instructions(template, [values[name] for name in operands[1:]])
                if result is None:
                    raise NotUnderstoodError(f"the instruction {template}")
                values[operands[0]] = Value(values[operands[0]].type, result.term)
        else:
            self.evaluate(rest[0], values)

    def evaluate(self, node, values):
        return getattr(self, f"_{node[0]}")(values, *node[1:])

    def _comma(self, values, parts):
        return [self.evaluate(part, values) for part in parts][-1]

    def _number(self, values, value, is_hexadecimal):
        types = [INT, UNSIGNED, LONG, UNSIGNED_LONG] if is_hexadecimal else [INT, LONG]
        return number(value, next(t for t in types if value < 1 << t.bits - t.signed))

    def _name(self, values, name):
        if name in values:
            return values[name]
        return LIMITS[name] if name in LIMITS else Value(VOID, name)

    def _member(self, values, name, member):
        return values[name].term[member]

    def _call(self, values, name, arguments):
        return self.call(name, *[self.evaluate(argument, values) for argument in arguments])

    def _copy(self, values, to, source):
        values[to] = Value(values[to].type, values[source].term)
        return values[to]

    def _cast(self, values, name, node):
        return self.convert(self.evaluate(node, values), self.types[name])

    def _literal(self, values, name, given):
        if self.types[name] != STRUCT:
            raise NotUnderstoodError(f"a literal of {name}")
        types = dict(self.members)
        term = {member: number(0, type) for member, type in types.items()}
        for position, (member, node) in zip(types, given, strict=False):
            member = member or position
            term[member] = self.convert(self.evaluate(node, values), types[member])
        return Value(STRUCT, term)

    def _choose(self, values, condition, chosen, other):
        a, b = self.evaluate(chosen, values), self.evaluate(other, values)
        if a.type.kind == "int":
            a, b = self.usual(a, b)
        return Value(a.type, z3.If(is_true(self.evaluate(condition, values)), a.term, b.term))

    def _unary(self, values, operator, node):
        value = self.evaluate(node, values)
        if operator == "!":
            return truth(z3.Not(is_true(value)))
        value = self.promote(value)
        return Value(value.type, -value.term if operator == "-" else ~value.term)

    def _binary(self, values, operator, left, right):
        a, b = self.evaluate(left, values), self.evaluate(right, values)
        if a.type.kind == b.type.kind == "float":
            return self.instructions({"+": "add", "-": "sub", "*": "mul"}[operator], [a, b])
        if operator == "*" or a.type.kind != "int" or b.type.kind != "int":
            raise NotUnderstoodError(f"{operator} of {a.type.kind} and {b.type.kind}")
        a, b = self.usual(a, b)
        if operator in COMPARISONS:
            return truth(COMPARISONS[operator](a.term, b.term, a.type.signed))
        if operator in ("+", "-") and a.type.signed:
            wide = [z3.SignExt(1, term) for term in (a.term, b.term)]
            exact = OPERATORS[operator](*wide)
            self.overflows.append(exact != z3.SignExt(1, OPERATORS[operator](a.term, b.term)))
        return Value(a.type, OPERATORS[operator](a.term, b.term))

    def promote(self, value):
        if value.type.kind != "int":
            raise NotUnderstoodError(f"an integer is expected, not a {value.type.kind}")
        return value if value.type.bits >= 32 else self.convert(value, INT)

    def usual(self, a, b):
        """Convert two integers to the type in which C computes with them."""
        a, b = self.promote(a), self.promote(b)
        type = max(a.type, b.type, key=lambda type: (type.bits, not type.signed))
        return self.convert(a, type), self.convert(b, type)

    def convert(self, value, type):
        """Convert as an assignment does: integers by their value, modulo 2**bits; registers not."""
        if type.kind != "int" or value.type.kind != "int":
            if type != VOID and (type.kind, type.bits) != (value.type.kind, value.type.bits):
                raise NotUnderstoodError(f"a conversion from {value.type} to {type}")
            return Value(type, value.term)
        more = type.bits - value.type.bits
        if more <= 0:
            return Value(type, z3.Extract(type.bits - 1, 0, value.term))
        extend = z3.SignExt if value.type.signed else z3.ZeroExt
        return Value(type, extend(more, value.term))


OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
}
COMPARISONS = {
    "==": lambda a, b, signed: a == b,
    "!=": lambda a, b, signed: a != b,
    "<": lambda a, b, signed: a < b if signed else z3.ULT(a, b),
    ">": lambda a, b, signed: a > b if signed else z3.UGT(a, b),
    "<=": lambda a, b, signed: a <= b if signed else z3.ULE(a, b),
    ">=": lambda a, b, signed: a >= b if signed else z3.UGE(a, b),
}


def is_true(value):
    return value.term != 0


def truth(condition):
    return Value(INT, z3.If(condition, z3.BitVecVal(1, 32), z3.BitVecVal(0, 32)))


@functools.cache
def arithmetic(name, bits):
    """Return the sum, difference or product of floats as any function of two patterns."""
    sort = z3.BitVecSort(bits)
    return z3.Function(f"{name}_float{bits}", sort, sort, sort)
