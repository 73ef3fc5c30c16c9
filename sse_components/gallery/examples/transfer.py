"""Transfer: changes are published after the commit, and never if the transaction fails."""

from __future__ import annotations

import sqlite3

from fasthtml.common import FT, APIRouter, Button, Dd, Div, Dl, Dt, Form, Input, Label
from starlette.datastructures import State
from starlette.requests import Request

from ... import LiveText, this_tab

ACCOUNTS = {"Ada": 80, "Grace": 20}
TABLE = "CREATE TABLE IF NOT EXISTS account (name PRIMARY KEY, balance CHECK (balance >= 0))"
CHANGE = "UPDATE account SET balance = balance + ? WHERE name = ? RETURNING balance"
rt = APIRouter("/transfer")


def setup(state: State) -> None:
    """Open both accounts."""
    state.db.execute(TABLE)
    state.db.executemany("INSERT OR IGNORE INTO account VALUES (?, ?)", ACCOUNTS.items())


def page(request: Request) -> tuple[FT, ...]:
    """Show both balances, and a form for a transfer."""
    amount = Input(type="number", id="amount", value=30, min=1, max=100, required=True)
    there = Button("From Ada to Grace", name="payer", value="Ada", cls="primary")
    back = Button("From Grace to Ada", name="payer", value="Grace")
    form = Form(Label("Amount", fr="amount"), amount, Div(there, back, cls="row"), hx_post=pay, hx_swap="none")
    return glance(request), form


def glance(request: Request) -> FT:
    """Show both balances."""
    rows = request.app.state.db.execute("SELECT name, balance FROM account ORDER BY name")
    return Dl(*(Div(Dt(name), Dd(LiveText(balance, id=f"balance-{name}", label=name))) for name, balance in rows))


@rt.post
async def pay(state: State, payer: str, amount: int) -> None:
    """Credit the payee, then debit the payer. If the debit fails, both are rolled back, and nothing is published."""
    payee = "Grace" if payer == "Ada" else "Ada"
    try:
        with state.sse.after_commit(state.db):
            for name, change in ((payee, abs(amount)), (payer, -abs(amount))):
                [(balance,)] = state.db.execute(CHANGE, [change, name]).fetchall()
                state.sse.text(f"balance-{name}").set(balance)
    except (sqlite3.IntegrityError, ValueError):
        state.sse.toast(f"{payer} has not got {amount}", level="warning", tab=this_tab())
