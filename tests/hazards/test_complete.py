"""Every hazard of getting in has its test, and beside it the control that shows what the guard is for."""

import re
from pathlib import Path

import pytest

HAZARDS = [*range(1, 37), 78, 79]
TESTS = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))


@pytest.mark.parametrize("number", HAZARDS)
def test_a_hazard_has_a_test_and_a_control(number):
    names = re.findall(rf"^def (test_h{number:02}_\w+)", TESTS, re.MULTILINE)
    controls = [name for name in names if name.startswith(f"test_h{number:02}_control_")]
    assert controls
    assert len(names) > len(controls)
