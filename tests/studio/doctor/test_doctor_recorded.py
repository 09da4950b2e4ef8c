"""The doctor on runs that were really made: gone wrong on purpose, and healthy ones of every technique."""

import pytest

from studio import doctor, techniques
from studio.doctor import Finding
from tests.studio.doctor import recordings
from tests.studio.doctor.recordings import Recording

LIMITS = {name: each.value for name, each in doctor.shipped().items()}
BAD = [each for each in recordings.every() if each.wanted]
HEALTHY = [each for each in recordings.every() if not each.wanted]


def found(recording: Recording) -> dict[str, Finding]:
    checkup = doctor.diagnose(recording.patient, LIMITS)
    return {rule.name: finding for rule, finding in checkup.findings}


@pytest.mark.parametrize("recording", BAD, ids=str)
def test_what_went_wrong_is_found(recording: Recording) -> None:
    assert recording.wanted in found(recording)


@pytest.mark.parametrize("recording", HEALTHY, ids=str)
def test_nothing_is_found_in_a_healthy_run(recording: Recording) -> None:
    assert {name: each.diagnosis for name, each in found(recording).items()} == {}
    assert len(doctor.diagnose(recording.patient, LIMITS).looked) > 1


def test_every_rule_has_a_run_it_speaks_of_and_healthy_ones_it_looks_at() -> None:
    assert {each.wanted for each in BAD} == {rule.name for rule in doctor.all()}
    silent = {rule.name for each in HEALTHY for rule in doctor.diagnose(each.patient, LIMITS).looked}
    assert silent == {rule.name for rule in doctor.all()}


def test_every_group_of_techniques_has_a_healthy_run() -> None:
    known = {each.patient.technique.group for each in HEALTHY}
    assert known == {technique.group for technique in techniques.all()}


@pytest.mark.parametrize("recording", BAD, ids=str)
def test_a_fix_is_made_of_settings_the_technique_takes(recording: Recording) -> None:
    patient = recording.patient
    for finding in found(recording).values():
        changed = dict(patient.settings) | {each.name: each.value for each in finding.changes}
        patient.technique.parameters(**changed)
        for change in finding.changes:
            assert change.value != patient.settings[change.name], change.name
            assert change.why


@pytest.mark.parametrize("recording", BAD, ids=str)
def test_evidence_names_curves_of_the_run_from_a_step_on(recording: Recording) -> None:
    for finding in found(recording).values():
        assert finding.evidence or recording.patient.error
        for shown in finding.evidence:
            assert shown.step in recording.patient.series[shown.key].steps


@pytest.mark.parametrize("recording", BAD, ids=str)
def test_before_the_first_steps_are_made_nothing_is_said_of_curves(recording: Recording) -> None:
    early = recording.patient
    cut = {key: each[:2] for key, each in early.series.items()}
    young = doctor.Patient(
        early.technique, early.adapter, early.settings, cut, early.advised, early.shape, early.rows
    )
    assert not [rule.name for rule, _ in doctor.diagnose(young, LIMITS).findings if rule.name != "diverged"]
