"""The answers to a quiz, as the student ticks them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from enrollments.models.quiz_attempt import Answers
from offers.models import QuestionKind, Quiz

UNANSWERED = {
    "required": _("Answer this question."),
    "invalid_choice": _("This question was changed meanwhile: answer it again."),
}


class QuizForm(forms.Form):
    """One field a question, in order. `number` is which attempt this is, so that a double click is one."""

    number = forms.IntegerField(min_value=1, max_value=32_000, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, quiz: Quiz, number: int) -> None:
        super().__init__(data, initial={"number": number})
        for question in quiz.questions.prefetch_related("choices"):
            several = question.kind == QuestionKind.SOME
            kind = forms.MultipleChoiceField if several else forms.ChoiceField
            self.fields[f"q{question.pk}"] = kind(
                label=question.text,
                choices=[(str(choice.pk), choice.text) for choice in question.choices.all()],
                widget=forms.CheckboxSelectMultiple if several else forms.RadioSelect,
                help_text=_("Tick all that are right.") if several else "",
                error_messages=UNANSWERED,
            )

    def answers(self) -> Answers:
        """What was ticked, by question."""
        ticked = {name: value for name, value in self.cleaned_data.items() if name != "number"}
        return {
            int(name[1:]): {int(pk) for pk in ([value] if isinstance(value, str) else value)}
            for name, value in ticked.items()
        }
