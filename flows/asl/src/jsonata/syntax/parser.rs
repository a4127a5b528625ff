//! From tokens to a tree as it is written, by the binding powers of the operators.

use super::raw::{Raw, Written};
use super::token::{Token, Tokens};
use super::{Newer, SyntaxError};
use crate::jsonata::limits::MOST_NESTING;
use crate::jsonata::syntax::signature::Signature;
use crate::jsonata::syntax::tree::Operator;
use serde_json::Value as Json;

type Result<T = Written> = std::result::Result<T, SyntaxError>;

pub(super) struct Parser<'a> {
    tokens: Tokens<'a>,
    here: Token,
    level: usize,
    /// An operator that came after JSONata 2.0.6.
    pub(super) newer: Option<Newer>,
}

/// How tightly an operator binds what is on its left.
fn power(token: &Token) -> u8 {
    let Token::Sign(sign) = token else { return 0 };
    match *sign {
        "[" | "(" | "@" | "#" => 80,
        "." => 75,
        "{" => 70,
        "*" | "/" | "%" => 60,
        "+" | "-" | "&" => 50,
        "=" | "!=" | "<" | ">" | "<=" | ">=" | "^" | "~>" | "in" | "??" | "?:" => 40,
        "and" => 30,
        "or" => 25,
        "?" => 20,
        ":=" => 10,
        _ => 0,
    }
}

fn operator(sign: &str) -> Option<Operator> {
    Some(match sign {
        "+" => Operator::Add,
        "-" => Operator::Subtract,
        "*" => Operator::Multiply,
        "/" => Operator::Divide,
        "%" => Operator::Remainder,
        "=" => Operator::Equal,
        "!=" => Operator::Unequal,
        "<" => Operator::Less,
        "<=" => Operator::LessOrEqual,
        ">" => Operator::Greater,
        ">=" => Operator::GreaterOrEqual,
        "&" => Operator::Concatenate,
        "and" => Operator::And,
        "or" => Operator::Or,
        "in" => Operator::In,
        "??" => Operator::Coalesce,
        "?:" => Operator::Default,
        _ => return None,
    })
}

impl<'a> Parser<'a> {
    /// The whole of `source`, as 2.0.6 reads it; `is_lenient` with what came later, or is told of.
    pub(super) fn parse(source: &'a str, is_lenient: bool) -> Result<(Written, Option<Newer>)> {
        let tokens = Tokens::of(source, is_lenient);
        let mut parser = Self { tokens, here: Token::End, level: 0, newer: None };
        parser.advance(false)?;
        let tree = parser.expression(0)?;
        if parser.here == Token::End {
            return Ok((tree, parser.newer));
        }
        Err(SyntaxError::new("S0201", format!("Syntax error: {}", parser.here.shown())))
    }

    fn advance(&mut self, operator_may_come: bool) -> Result<()> {
        self.here = self.tokens.next(operator_may_come)?;
        if let Token::Sign(sign @ ("!" | "~")) = self.here {
            return Err(SyntaxError::new(
                "S0204",
                format!("Unknown operator: {}", Json::from(sign)),
            ));
        }
        Ok(())
    }

    /// Passes over the sign that has to come now.
    fn expect(&mut self, sign: &'static str, operator_may_come: bool) -> Result<()> {
        if self.here.is(sign) {
            return self.advance(operator_may_come);
        }
        let wanted = Json::from(sign);
        Err(match &self.here {
            Token::End => {
                SyntaxError::new("S0203", format!("Expected {wanted} before end of expression"))
            }
            other => SyntaxError::new("S0202", format!("Expected {wanted}, got {}", other.shown())),
        })
    }

    /// Passes over the sign if it comes now.
    fn eats(&mut self, sign: &'static str) -> Result<bool> {
        let eats = self.here.is(sign);
        if eats {
            self.advance(false)?;
        }
        Ok(eats)
    }

    fn expression(&mut self, right_power: u8) -> Result {
        self.level += 1;
        if self.level > MOST_NESTING {
            return Err(SyntaxError::too_deep());
        }
        let token = std::mem::replace(&mut self.here, Token::End);
        // After what opens something 2.0.6 takes a slash for an operator, which none can be there.
        let opens = matches!(token, Token::Sign("(" | "[" | "{" | "-" | "|"));
        let opens = opens && self.tokens.is_lenient;
        self.advance(!opens)?;
        let mut left = self.operand(token)?;
        while right_power < power(&self.here) {
            let Token::Sign(sign) = self.here else { break };
            self.advance(false)?;
            left = self.after(sign, left)?;
            if left.depth > MOST_NESTING {
                return Err(SyntaxError::too_deep());
            }
        }
        self.level -= 1;
        Ok(left)
    }

    /// What begins with `token`.
    fn operand(&mut self, token: Token) -> Result {
        let raw = match token {
            Token::Name(name) => Raw::Name(name),
            Token::Variable(name) => Raw::Variable(name),
            Token::Text(text) => Raw::Text(text),
            Token::Number(number) => Raw::Number(number),
            Token::Bool(truth) => Raw::Bool(truth),
            Token::Null => Raw::Null,
            Token::Regex { pattern, flags } => Raw::Regex { pattern, flags },
            Token::Sign(sign) => return self.prefixed(sign),
            Token::End => Raw::End,
        };
        Ok(Written::new(raw))
    }

    fn prefixed(&mut self, sign: &'static str) -> Result {
        Ok(Written::new(match sign {
            "and" | "or" | "in" => Raw::Name(sign.into()),
            "*" => Raw::Wildcard,
            "**" => Raw::Descendants,
            "%" => Raw::Parent,
            "-" => Raw::Negate(Box::new(self.expression(70)?)),
            "(" => self.block()?,
            "[" => self.array()?,
            "{" => Raw::Object(self.pairs()?),
            "|" => self.transform()?,
            _ => {
                let sign = Json::from(sign);
                let words = format!("The symbol {sign} cannot be used as a unary operator");
                return Err(SyntaxError::new("S0211", words));
            }
        }))
    }

    fn block(&mut self) -> Result<Raw> {
        let mut expressions = Vec::new();
        while !self.here.is(")") {
            expressions.push(self.expression(0)?);
            if !self.eats(";")? {
                break;
            }
        }
        self.expect(")", true)?;
        Ok(Raw::Block(expressions))
    }

    fn array(&mut self) -> Result<Raw> {
        let mut items = Vec::new();
        if !self.here.is("]") {
            loop {
                let mut item = self.expression(0)?;
                if self.eats("..")? {
                    let end = self.expression(0)?;
                    item = Written::new(Raw::Binary(Operator::Range, Box::new((item, end))));
                }
                items.push(item);
                if !self.eats(",")? {
                    break;
                }
            }
        }
        self.expect("]", true)?;
        Ok(Raw::Array(items))
    }

    fn pairs(&mut self) -> Result<Vec<(Written, Written)>> {
        let mut pairs = Vec::new();
        if !self.here.is("}") {
            loop {
                let name = self.expression(0)?;
                self.expect(":", false)?;
                pairs.push((name, self.expression(0)?));
                if !self.eats(",")? {
                    break;
                }
            }
        }
        self.expect("}", true)?;
        Ok(pairs)
    }

    fn transform(&mut self) -> Result<Raw> {
        let pattern = self.expression(0)?;
        self.expect("|", false)?;
        let update = self.expression(0)?;
        let delete = if self.eats(",")? { Some(self.expression(0)?) } else { None };
        self.expect("|", false)?;
        Ok(Raw::Transform(Box::new((pattern, update, delete))))
    }

    /// What `sign` makes of the operand before it.
    fn after(&mut self, sign: &'static str, left: Written) -> Result {
        if let Some(operator) = operator(sign) {
            let right = self.expression(power(&Token::Sign(sign)))?;
            match operator {
                Operator::Coalesce => self.newer(sign, "$exists(a) ? a : b"),
                Operator::Default => self.newer(sign, "a ? a : b"),
                _ => {}
            }
            return Ok(Written::new(Raw::Binary(operator, Box::new((left, right)))));
        }
        let raw = match sign {
            "." => Raw::Step(Box::new((left, self.expression(75)?))),
            "~>" => Raw::Apply(Box::new((left, self.expression(40)?))),
            "(" => return self.call(left),
            "[" => return self.predicate(left),
            "{" => Raw::Group(Box::new(left), self.pairs()?),
            "^" => Raw::Order(Box::new(left), self.terms()?),
            "?" => {
                let then = self.expression(0)?;
                let otherwise = if self.eats(":")? { Some(self.expression(0)?) } else { None };
                Raw::Condition(Box::new((left, then, otherwise)))
            }
            ":=" => {
                let Raw::Variable(name) = left.raw else {
                    let words = "The left side of := must be a variable name (start with $)";
                    return Err(SyntaxError::new("S0212", words));
                };
                Raw::Bind(name, Box::new(self.expression(9)?))
            }
            _ => {
                let right = self.expression(80)?;
                let Raw::Variable(name) = right.raw else {
                    let sign = Json::from(sign);
                    let words =
                        format!("The right side of {sign} must be a variable name (start with $)");
                    return Err(SyntaxError::new("S0214", words));
                };
                if sign == "@" {
                    Raw::Focus(Box::new(left), name)
                } else {
                    Raw::Index(Box::new(left), name)
                }
            }
        };
        Ok(Written::new(raw))
    }

    fn newer(&mut self, operator: &'static str, instead: &'static str) {
        self.newer = Some(Newer { operator, instead });
    }

    fn predicate(&mut self, mut left: Written) -> Result {
        if self.here.is("]") {
            // Without a predicate: what is selected stays an array.
            let mut step = &mut left;
            while matches!(step.raw, Raw::Predicate(_)) {
                let Raw::Predicate(sides) = &mut step.raw else { break };
                step = &mut sides.0;
            }
            step.keeps_array = true;
            self.advance(false)?;
            return Ok(left);
        }
        let mut inner = self.expression(0)?;
        if self.tokens.is_lenient && self.eats("..")? {
            let end = self.expression(0)?;
            inner = Written::new(Raw::Binary(Operator::Range, Box::new((inner, end))));
            self.newer("..", "[[0..1]]");
        }
        self.expect("]", true)?;
        Ok(Written::new(Raw::Predicate(Box::new((left, inner)))))
    }

    fn terms(&mut self) -> Result<Vec<(Written, bool)>> {
        self.expect("(", false)?;
        let mut terms = Vec::new();
        loop {
            let is_descending = self.here.is(">");
            if is_descending || self.here.is("<") {
                self.advance(false)?;
            }
            terms.push((self.expression(0)?, is_descending));
            if !self.eats(",")? {
                break;
            }
        }
        self.expect(")", false)?;
        Ok(terms)
    }

    fn call(&mut self, procedure: Written) -> Result {
        let mut arguments = Vec::new();
        let mut is_partial = false;
        if !self.here.is(")") {
            loop {
                if self.here.is("?") {
                    is_partial = true;
                    self.advance(false)?;
                    arguments.push(Written::new(Raw::Placeholder));
                } else {
                    arguments.push(self.expression(0)?);
                }
                if !self.eats(",")? {
                    break;
                }
            }
        }
        self.expect(")", true)?;
        let is_lambda =
            matches!(&procedure.raw, Raw::Name(name) if matches!(&**name, "function" | "λ"));
        if is_lambda {
            return self.lambda(arguments);
        }
        let call = Box::new((procedure, arguments));
        Ok(Written::new(if is_partial { Raw::Partial(call) } else { Raw::Call(call) }))
    }

    fn lambda(&mut self, arguments: Vec<Written>) -> Result {
        let mut parameters = Vec::with_capacity(arguments.len());
        for (index, argument) in arguments.into_iter().enumerate() {
            let Raw::Variable(name) = argument.raw else {
                let words = format!(
                    "Parameter {} of function definition must be a variable name (start with $)",
                    index + 1
                );
                return Err(SyntaxError::new("S0208", words));
            };
            parameters.push(name);
        }
        let signature = if self.here.is("<") { Some(self.signature()?) } else { None };
        self.expect("{", false)?;
        let body = self.expression(0)?;
        self.expect("}", false)?;
        Ok(Written::new(Raw::Lambda { parameters, signature, body: Box::new(body) }))
    }

    fn signature(&mut self) -> Result<Signature> {
        let mut text = "<".to_owned();
        let mut depth = 1;
        while depth > 0 && !self.here.is("{") && self.here != Token::End {
            self.advance(false)?;
            if self.here.is(">") {
                depth -= 1;
            } else if self.here.is("<") {
                depth += 1;
            }
            match self.here.shown() {
                Json::String(word) => text.push_str(&word),
                other => text.push_str(&other.to_string()),
            }
        }
        self.expect(">", false)?;
        Signature::read(&text)
    }
}
