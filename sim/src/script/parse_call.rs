//! System calls and their expressions: `0...0.1 accept(3, ..., ...) = 4`.

use super::ast::{Call, Expr, ExprKind};
use super::diagnostic::ScriptError;
use super::lexer::Kind;
use super::parser::Parser;

/// An expression may nest this deep.
const MAX_DEPTH: u32 = 64;

impl Parser {
    /// A system call, from its name on. `end` is when it must return, if it blocks.
    pub(super) fn call(&mut self, end: Option<u64>) -> Result<Call, ScriptError> {
        let token = self.peek().clone();
        let Kind::Word(name) = token.kind else {
            return Err(self.unexpected("expected the name of a system call"));
        };
        self.next();
        self.expect('(', &format!("behind `{name}`"))?;
        let args = self.expressions(')')?;
        self.expect(')', "to close the arguments")?;
        self.expect('=', "and what the call returns")?;
        let result = self.expression()?;
        let mut errno = None;
        if let Kind::Word(word) = &self.peek().kind {
            errno = Some(word.clone());
            self.next();
        }
        let note = if self.is('(') { Some(self.note()?) } else { None };
        Ok(Call { pos: token.pos, end, name, args, result, errno, note })
    }

    /// `(Resource temporarily unavailable)`: words that mean nothing.
    fn note(&mut self) -> Result<String, ScriptError> {
        self.next();
        let mut words: Vec<String> = Vec::new();
        loop {
            match &self.peek().kind {
                Kind::Punct(')') => break,
                Kind::Word(w) => words.push(w.clone()),
                Kind::Int(n) => words.push(n.to_string()),
                _ => return Err(self.unexpected("expected words and `)`")),
            }
            self.next();
        }
        self.next();
        Ok(words.join(" "))
    }

    /// Expressions separated by commas, up to but without `close`.
    fn expressions(&mut self, close: char) -> Result<Vec<Expr>, ScriptError> {
        let mut list = Vec::new();
        if self.is(close) {
            return Ok(list);
        }
        loop {
            list.push(self.expression()?);
            if !self.eat(',') {
                return Ok(list);
            }
        }
    }

    /// `a | b`, `name = a | b`, or one of the simple forms.
    fn expression(&mut self) -> Result<Expr, ScriptError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ScriptError::limit(self.pos(), "the expression nests deeper than 64"));
        }
        let left = self.primary()?;
        let pos = left.pos;
        let assignable = matches!(left.kind, ExprKind::Word(_) | ExprKind::Apply(..));
        let expr = if assignable && self.eat('=') {
            let value = self.expression()?;
            Expr { pos, kind: ExprKind::Assign(Box::new(left), Box::new(value)) }
        } else if self.eat('|') {
            let right = self.expression()?;
            Expr { pos, kind: ExprKind::Or(Box::new(left), Box::new(right)) }
        } else {
            left
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn primary(&mut self) -> Result<Expr, ScriptError> {
        let token = self.peek().clone();
        let kind = match token.kind {
            Kind::Ellipsis => ExprKind::Ellipsis,
            Kind::Int(n) => ExprKind::Int(n),
            Kind::Hex(n) => ExprKind::Hex(n),
            Kind::Str(text) => return Ok(self.text(text)),
            Kind::Word(name) => {
                self.next();
                if !self.eat('(') {
                    return Ok(Expr { pos: token.pos, kind: ExprKind::Word(name) });
                }
                let args = self.expressions(')')?;
                self.expect(')', "to close the arguments")?;
                return Ok(Expr { pos: token.pos, kind: ExprKind::Apply(name, args) });
            }
            Kind::Punct('[') => return self.bracketed(']', ExprKind::List),
            Kind::Punct('{') => return self.bracketed('}', ExprKind::Brace),
            _ => {
                return Err(self.unexpected(
                    "expected an argument: a number, a NAME, \"text\", [list], {struct} or ...",
                ));
            }
        };
        self.next();
        Ok(Expr { pos: token.pos, kind })
    }

    /// Texts in a row are one text; `...` behind one means that it may go on.
    fn text(&mut self, first: String) -> Expr {
        let pos = self.next().pos;
        let mut whole = first;
        if self.peek().kind == Kind::Ellipsis {
            self.next();
            return Expr { pos, kind: ExprKind::StrPrefix(whole) };
        }
        while let Kind::Str(more) = &self.peek().kind {
            whole.push_str(more);
            self.next();
        }
        Expr { pos, kind: ExprKind::Str(whole) }
    }

    fn bracketed(
        &mut self,
        close: char,
        kind: fn(Vec<Expr>) -> ExprKind,
    ) -> Result<Expr, ScriptError> {
        let pos = self.next().pos;
        let list = self.expressions(close)?;
        self.expect(close, &format!("to close the bracket at column {}", pos.column))?;
        Ok(Expr { pos, kind: kind(list) })
    }
}
