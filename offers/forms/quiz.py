"""What may be asked of a quiz and its questions."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.db import transaction
from django.utils.translation import gettext

from offers.forms.careful import Overtaken, VersionedForm
from offers.models import Choice, Question, QuestionKind, Quiz
from offers.models.course import next_position
from portal.events import Name, record

BLANK_CHOICES = 2  # at the end of the page, for more
FEWEST, MOST = 4, 20  # rows of choices on a page


class QuizForm(forms.ModelForm[Quiz]):
    """When a quiz is passed, how often it may be tried, and what is shown afterwards."""

    pass_mark = Quiz._meta.get_field("pass_mark").formfield(min_value=1, max_value=100)
    max_attempts = Quiz._meta.get_field("max_attempts").formfield(min_value=1, max_value=100)

    class Meta:
        model = Quiz
        fields: ClassVar[list[str]] = ["pass_mark", "max_attempts", "reveal"]

    @transaction.atomic
    def save(self, commit: bool = True) -> Quiz:
        """Keep what changed, and record it. Raises Overtaken if somebody deleted the quiz."""
        present = Quiz.objects.select_for_update(no_key=True)
        if not present.filter(pk=self.instance.pk).exists():
            raise Overtaken
        if self.changed_data:
            self.instance.save(update_fields=self.changed_data)
            lesson = self.instance.lesson
            record(Name.QUIZ_UPDATED, **lesson.facts(), fields=self.changed_data)
        return self.instance


class QuestionForm(VersionedForm[Question]):
    """A question with its choices: a text and a tick each; a row left empty is none.

    Choices keep their identity by their place, so that a student who is answering meanwhile
    answers what they see, or is asked again. A page has at least `rows` of them.
    """

    created, updated = Name.QUESTION_CREATED, Name.QUESTION_UPDATED
    version_field = forms.CharField

    class Meta:
        model = Question
        fields: ClassVar[list[str]] = ["text", "kind", "explanation"]
        widgets: ClassVar[dict[str, Any]] = {
            "text": forms.Textarea(attrs={"rows": 3}),
            "kind": forms.RadioSelect,
            "explanation": forms.Textarea(attrs={"rows": 2}),
        }

    def __init__(self, *args: Any, quiz: Quiz, rows: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.quiz = quiz
        self.present = list(self.instance.choices.all()) if self.instance.pk else []
        sent = sum(name.startswith("choice_") for name in {*self.data, *self.initial})
        rows = max(rows, FEWEST, len(self.present) + BLANK_CHOICES, sent)
        self.numbers = range(min(MOST, rows))
        # Shown again with what was typed, a row that was not there is empty.
        shown = [] if "choice_0" in self.initial else self.present
        for number in self.numbers:
            known = shown[number] if number < len(shown) else None
            self.fields[f"choice_{number}"] = forms.CharField(
                label=gettext("Answer %d") % (number + 1),
                required=False,
                max_length=500,
            )
            self.initial.setdefault(f"choice_{number}", known.text if known else "")
            self.fields[f"right_{number}"] = forms.BooleanField(
                label=gettext("Answer %d is right") % (number + 1),
                required=False,
            )
            self.initial.setdefault(f"right_{number}", known is not None and known.is_right)

    def rows(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """The text and the tick of each choice, for the page."""
        return [(self[f"choice_{number}"], self[f"right_{number}"]) for number in self.numbers]

    def head(self) -> list[forms.BoundField]:
        """The fields of the question itself."""
        return [self[name] for name in self.Meta.fields]

    def clean(self) -> dict[str, Any]:
        words = super().clean() or self.cleaned_data
        for number in self.numbers:
            if words.get(f"right_{number}") and not words.get(f"choice_{number}"):
                self.add_error(f"choice_{number}", gettext("A right answer needs a text."))
        self._refuse_twins(words)
        chosen = [is_right for _text, is_right in self._choices()]
        if len(chosen) < 2:
            self.add_error(None, gettext("Write at least two answers."))
        elif not any(chosen):
            self.add_error(None, gettext("Tick the answer that is right."))
        elif words.get("kind") == QuestionKind.ONE and sum(chosen) > 1:
            self.add_error(
                None,
                gettext("Tick one answer only, or choose that several may be right."),
            )
        return words

    def _refuse_twins(self, words: dict[str, Any]) -> None:
        """Of two answers that read the same, nobody could tell which one is right."""
        seen = set()
        for number in self.numbers:
            text = " ".join(words.get(f"choice_{number}", "").split())
            if text and text in seen:
                self.add_error(f"choice_{number}", gettext("This answer stands there twice."))
            seen.add(text)

    def _choices(self) -> list[tuple[str, bool]]:
        words = self.cleaned_data
        rows = ((words.get(f"choice_{n}", ""), bool(words.get(f"right_{n}"))) for n in self.numbers)
        return [(text, is_right) for text, is_right in rows if text]

    @transaction.atomic
    def save(self, commit: bool = True) -> Question:
        """Write the question, and its choices in the order of the page.

        Raises Overtaken if somebody saved it meanwhile, or deleted the quiz a new one was for.
        """
        question = self.instance
        if question.pk:
            self.claim()
            others = {*self.changed_data} - {*self.Meta.fields, "version"}
            self.update(self.written(), beside={"choices"} if others else ())
        elif not Quiz.objects.select_for_update().filter(pk=question.quiz.pk).exists():
            raise Overtaken
        else:
            question.position = next_position(question.quiz.questions.all())
            self.insert()
        wanted = self._choices()
        for choice, (text, is_right) in zip(self.present, wanted, strict=False):
            choice.text, choice.is_right = text, is_right
        Choice.objects.bulk_update(self.present[: len(wanted)], ["text", "is_right"])
        Choice.objects.filter(pk__in=[choice.pk for choice in self.present[len(wanted) :]]).delete()
        Choice.objects.bulk_create(
            Choice(question=question, text=text, is_right=is_right, position=place)
            for place, (text, is_right) in enumerate(wanted, start=1)
            if place > len(self.present)
        )
        return question
