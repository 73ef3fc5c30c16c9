# /// script
# dependencies = ["sse-components"]
# ///
from random import random

from fasthtml.common import *

from sse_components import Sparkline, setup_sse

app, rt = fast_app()
sse = setup_sse(app)
dice = sse.sparkline("dice", label="Dice", low=0, high=1)


@rt
def index():
    return Titled("Dice", P(Sparkline(dice)), Button("Roll", hx_post=roll, hx_swap="none"))


@rt
def roll():
    dice.push(random())


serve()
