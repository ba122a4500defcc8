//! `%{ … }%` blocks: the part of Python that scripts use to look at `struct tcp_info`.

use super::ast::{BinaryOp, Cond, Pos, Statement, UnaryOp};
use super::diagnostic::ScriptError;

/// An expression may nest this deep.
const MAX_DEPTH: u32 = 64;

#[derive(Clone, PartialEq, Eq, Debug)]
enum Tok {
    Name(String),
    Int(i64),
    Text(String),
    Op(&'static str),
    /// A line's end or `;`.
    Stop,
    End,
}

/// Longest first, so that `<<` is not two `<`.
const OPERATORS: [&str; 29] = [
    "//", "<<", ">>", "==", "!=", "<=", ">=", "+=", "-=", "=", "<", ">", "+", "-", "*", "/", "%",
    "|", "&", "^", "~", "(", ")", ",", "[", "]", ".", ":", "@",
];

/// Parses the inside of a block that stands at `at`.
pub(super) fn parse_code(text: &str, at: Pos) -> Result<Vec<Statement>, ScriptError> {
    let mut parser = CodeParser { tokens: cut(text, at)?, at: 0, depth: 0 };
    let mut statements = Vec::new();
    loop {
        while parser.peek() == &Tok::Stop {
            parser.at += 1;
        }
        if parser.peek() == &Tok::End {
            return Ok(statements);
        }
        statements.push(parser.statement()?);
        if !matches!(parser.peek(), Tok::Stop | Tok::End) {
            return Err(parser.unexpected("expected `;`, a new line or the end of the block"));
        }
    }
}

fn cut(text: &str, at: Pos) -> Result<Vec<(Pos, Tok)>, ScriptError> {
    let mut tokens = Vec::new();
    let mut here = Pos { column: at.column + 2, start: at.start + 2, ..at };
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (length, token) = match c {
            '\n' | ';' => (1, Some(Tok::Stop)),
            ' ' | '\t' | '\r' => (1, None),
            '\\' if rest[1..].starts_with('\n') => (2, None),
            '#' => (rest.find('\n').unwrap_or(rest.len()), None),
            '\'' | '"' => {
                let Some(end) = rest[1..].find(c) else {
                    let pos = Pos { end: here.start + 1, ..here };
                    return Err(ScriptError::syntax(pos, "unclosed text", "no quote closes it"));
                };
                (end + 2, Some(Tok::Text(rest[1..=end].to_owned())))
            }
            '0'..='9' => {
                let length = word_len(rest);
                let pos = Pos { end: here.start + length as u32, ..here };
                (length, Some(Tok::Int(integer(&rest[..length], pos)?)))
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = word_len(rest);
                (length, Some(Tok::Name(rest[..length].to_owned())))
            }
            _ => {
                let Some(op) = OPERATORS.iter().find(|op| rest.starts_with(**op)) else {
                    let pos = Pos { end: here.start + c.len_utf8() as u32, ..here };
                    let message = format!("unexpected `{}`", c.escape_debug());
                    return Err(ScriptError::syntax(pos, message, ""));
                };
                (op.len(), Some(Tok::Op(op)))
            }
        };
        if let Some(token) = token {
            tokens.push((Pos { end: here.start + length as u32, ..here }, token));
        }
        here = go_on(here, &rest[..length]);
        rest = &rest[length..];
    }
    tokens.push((Pos { end: here.start, ..here }, Tok::End));
    Ok(tokens)
}

fn word_len(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

fn integer(word: &str, pos: Pos) -> Result<i64, ScriptError> {
    let digits = word.replace('_', "");
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    value.map_err(|_| ScriptError::syntax(pos, format!("`{word}` is no number"), "expected digits"))
}

fn go_on(mut pos: Pos, text: &str) -> Pos {
    for c in text.chars() {
        pos.column = pos.column.saturating_add(1);
        if c == '\n' {
            pos.line = pos.line.saturating_add(1);
            pos.column = 1;
        }
    }
    pos.start = pos.start.saturating_add(text.len() as u32);
    pos
}

struct CodeParser {
    tokens: Vec<(Pos, Tok)>,
    at: usize,
    depth: u32,
}

impl CodeParser {
    fn peek(&self) -> &Tok {
        &self.tokens[self.at.min(self.tokens.len() - 1)].1
    }
    fn pos(&self) -> Pos {
        self.tokens[self.at.min(self.tokens.len() - 1)].0
    }
    fn eat(&mut self, op: &str) -> bool {
        let found = matches!(self.peek(), Tok::Op(o) if *o == op);
        self.at += usize::from(found);
        found
    }
    fn eat_name(&mut self, name: &str) -> bool {
        let found = matches!(self.peek(), Tok::Name(n) if n == name);
        self.at += usize::from(found);
        found
    }
    fn unexpected(&self, expected: &str) -> ScriptError {
        let what = match self.peek() {
            Tok::Name(name) => format!("`{name}`"),
            Tok::Int(n) => format!("`{n}`"),
            Tok::Text(_) => "a text".to_owned(),
            Tok::Op(op) => format!("`{op}`"),
            Tok::Stop => "the end of the statement".to_owned(),
            Tok::End => "the end of the block".to_owned(),
        };
        ScriptError::syntax(self.pos(), format!("unexpected {what}"), expected)
    }

    fn statement(&mut self) -> Result<Statement, ScriptError> {
        let pos = self.pos();
        if self.eat_name("assert") {
            let condition = self.condition()?;
            let message = if self.eat(",") { Some(self.condition()?) } else { None };
            return Ok(Statement::Assert { pos, condition, message });
        }
        if self.eat_name("print") {
            return Ok(Statement::Print { pos, values: self.printed()? });
        }
        let Tok::Name(name) = self.peek().clone() else {
            return Err(self.unexpected("expected `assert`, `print` or an assignment"));
        };
        if let "import" | "from" | "if" | "for" | "while" | "def" | "class" | "with" | "try" =
            name.as_str()
        {
            let error = ScriptError::unsupported(pos, format!("Python's `{name}`"));
            return Err(error.help("`assert`, `print` and assignments are"));
        }
        self.at += 1;
        let op = match self.peek() {
            Tok::Op("=") => None,
            Tok::Op("+=") => Some(BinaryOp::Add),
            Tok::Op("-=") => Some(BinaryOp::Sub),
            _ => {
                let error = ScriptError::syntax(
                    pos,
                    format!("`{name}` is no statement"),
                    "expected `assert`, `print` or an assignment",
                );
                return Err(error.did_you_mean(&name, ["assert", "print"]));
            }
        };
        self.at += 1;
        Ok(Statement::Assign { pos, name, op, value: self.condition()? })
    }

    /// What stands behind `print`, with or without parentheses around all of it.
    fn printed(&mut self) -> Result<Vec<Cond>, ScriptError> {
        let start = self.at;
        if self.eat("(") {
            let values = self.list(")")?;
            if self.eat(")") && matches!(self.peek(), Tok::Stop | Tok::End) {
                return Ok(values);
            }
            self.at = start;
        }
        if matches!(self.peek(), Tok::Stop | Tok::End) {
            return Ok(Vec::new());
        }
        let mut values = vec![self.condition()?];
        while self.eat(",") {
            values.push(self.condition()?);
        }
        Ok(values)
    }

    fn list(&mut self, close: &str) -> Result<Vec<Cond>, ScriptError> {
        let mut values = Vec::new();
        while !matches!(self.peek(), Tok::Op(op) if *op == close) {
            values.push(self.condition()?);
            if !self.eat(",") {
                break;
            }
        }
        Ok(values)
    }

    fn condition(&mut self) -> Result<Cond, ScriptError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ScriptError::limit(self.pos(), "the expression nests deeper than 64"));
        }
        let value = self.binary(0);
        self.depth -= 1;
        value
    }

    /// Operators that bind at `level`, loosest first.
    fn binary(&mut self, level: usize) -> Result<Cond, ScriptError> {
        if level == 2 && self.eat_name("not") {
            let value = self.nested(|p| p.binary(2))?;
            return Ok(Cond::Unary(UnaryOp::Not, Box::new(value)));
        }
        if level == 9 {
            return self.unary();
        }
        let mut left = self.binary(level + 1)?;
        let mut compared: Option<Cond> = None;
        while let Some(op) = self.operator(level) {
            self.at += 1;
            let right = self.binary(level + 1)?;
            if level == 3 {
                // Python chains: a < b < c is a < b and b < c.
                let one = binary(op, left, right.clone());
                compared = Some(match compared {
                    Some(before) => binary(BinaryOp::And, before, one),
                    None => one,
                });
                left = right;
            } else {
                left = binary(op, left, right);
            }
        }
        Ok(compared.unwrap_or(left))
    }

    fn operator(&self, level: usize) -> Option<BinaryOp> {
        let op = match self.peek() {
            Tok::Name(name) if name == "or" => (0, BinaryOp::Or),
            Tok::Name(name) if name == "and" => (1, BinaryOp::And),
            Tok::Op(op) => match *op {
                "==" => (3, BinaryOp::Eq),
                "!=" => (3, BinaryOp::Ne),
                "<" => (3, BinaryOp::Lt),
                "<=" => (3, BinaryOp::Le),
                ">" => (3, BinaryOp::Gt),
                ">=" => (3, BinaryOp::Ge),
                "|" => (4, BinaryOp::BitOr),
                "^" => (5, BinaryOp::BitXor),
                "&" => (6, BinaryOp::BitAnd),
                "<<" => (7, BinaryOp::Shl),
                ">>" => (7, BinaryOp::Shr),
                "+" => (8, BinaryOp::Add),
                "-" => (8, BinaryOp::Sub),
                _ => return None,
            },
            _ => return None,
        };
        (op.0 == level).then_some(op.1)
    }

    /// Multiplication and what binds closer.
    fn unary(&mut self) -> Result<Cond, ScriptError> {
        let mut left = self.signed()?;
        loop {
            let op = match self.peek() {
                Tok::Op("*") => BinaryOp::Mul,
                Tok::Op("//") => BinaryOp::FloorDiv,
                Tok::Op("/") => BinaryOp::Div,
                Tok::Op("%") => BinaryOp::Mod,
                _ => return Ok(left),
            };
            self.at += 1;
            left = binary(op, left, self.signed()?);
        }
    }

    fn nested(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<Cond, ScriptError>,
    ) -> Result<Cond, ScriptError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ScriptError::limit(self.pos(), "the expression nests deeper than 64"));
        }
        let value = parse(self);
        self.depth -= 1;
        value
    }

    fn signed(&mut self) -> Result<Cond, ScriptError> {
        if self.eat("+") {
            return self.nested(Self::signed);
        }
        if self.eat("-") {
            return Ok(match self.nested(Self::signed)? {
                Cond::Int(n) => Cond::Int(n.wrapping_neg()),
                value => Cond::Unary(UnaryOp::Minus, Box::new(value)),
            });
        }
        if self.eat("~") {
            let value = self.nested(Self::signed)?;
            return Ok(Cond::Unary(UnaryOp::Invert, Box::new(value)));
        }
        self.atom()
    }

    fn atom(&mut self) -> Result<Cond, ScriptError> {
        let pos = self.pos();
        let value = match self.peek().clone() {
            Tok::Int(n) => Cond::Int(n),
            Tok::Text(text) => Cond::Text(text),
            Tok::Name(name) => {
                self.at += 1;
                if let Tok::Op(op @ ("(" | "[" | ".")) = self.peek() {
                    let what = format!("`{op}` behind a name in a block");
                    return Err(ScriptError::unsupported(self.pos(), what));
                }
                return Ok(Cond::Name(pos, name));
            }
            Tok::Op("(") => {
                self.at += 1;
                let mut values = self.list(")")?;
                let comma = self.tokens[self.at - 1].1 == Tok::Op(",");
                if !self.eat(")") {
                    return Err(self.unexpected("expected `)`"));
                }
                return Ok(match values.pop() {
                    Some(only) if values.is_empty() && !comma => only,
                    Some(last) => {
                        values.push(last);
                        Cond::Tuple(values)
                    }
                    None => Cond::Tuple(values),
                });
            }
            _ => return Err(self.unexpected("expected a number, a name or `(`")),
        };
        self.at += 1;
        Ok(value)
    }
}

fn binary(op: BinaryOp, left: Cond, right: Cond) -> Cond {
    Cond::Binary(op, Box::new(left), Box::new(right))
}
