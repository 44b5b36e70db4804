from django.urls import path

from workflows.views import (
    approvals,
    datastore,
    definitions,
    overview,
    run,
    run_commands,
    runs,
    schedule,
    send_event,
    start,
    step_commands,
)
from workflows.views.commands import COMMANDS

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("live/", overview.overview_live, name="overview-live"),
    path("runs/", runs.runs, name="runs"),
    path("runs/live/", runs.runs_live, name="runs-live"),
    path("runs/<uuid:run_id>/", run.run, name="run"),
    path("runs/<uuid:run_id>/live/", run.run_live, name="run-live"),
    path("runs/<uuid:run_id>/raw/<str:part>/", run.run_raw, name="run-raw"),
    *(path(f"runs/<uuid:run_id>/{verb}/", run_commands.view(verb), name=f"run-{verb}") for verb in COMMANDS),
    path("runs/<uuid:run_id>/event/", send_event.send_event, name="run-event"),
    path("runs/<uuid:run_id>/steps/<uuid:step_id>/skip/", step_commands.skip, name="step-skip"),
    path("runs/<uuid:run_id>/steps/<uuid:step_id>/fire/", step_commands.fire, name="step-fire"),
    path("approvals/", approvals.approval_list, name="approvals"),
    path("approvals/<uuid:run_id>/<uuid:step_id>/", approvals.approval, name="approval"),
    path("workflows/", definitions.workflows, name="workflows"),
    path("workflows/<slug:name>/", definitions.workflow, name="workflow"),
    path("workflows/<slug:name>/start/", start.start, {"kind": "workflow"}, name="workflow-start"),
    path("workflows/<slug:name>/schedule/pause/", schedule.pause, name="schedule-pause"),
    path("workflows/<slug:name>/schedule/resume/", schedule.resume, name="schedule-resume"),
    path("actions/", definitions.actions, name="actions"),
    path("actions/<slug:name>/", definitions.action, name="action"),
    path("actions/<slug:name>/start/", start.start, {"kind": "action"}, name="action-start"),
    path("datastore/", datastore.datastore, name="datastore"),
    path("datastore/entry/", datastore.entry, name="entry"),
]
