from django.urls import path

from workflows.views import datastore, definitions, overview, run, run_commands, runs, start

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("live/", overview.overview_live, name="overview-live"),
    path("runs/", runs.runs, name="runs"),
    path("runs/live/", runs.runs_live, name="runs-live"),
    path("runs/<uuid:run_id>/", run.run, name="run"),
    path("runs/<uuid:run_id>/live/", run.run_live, name="run-live"),
    path("runs/<uuid:run_id>/raw/<str:part>/", run.run_raw, name="run-raw"),
    path("runs/<uuid:run_id>/retry/", run_commands.retry, name="run-retry"),
    path("runs/<uuid:run_id>/cancel/", run_commands.cancel, name="run-cancel"),
    path("workflows/", definitions.workflows, name="workflows"),
    path("workflows/<slug:name>/", definitions.workflow, name="workflow"),
    path("workflows/<slug:name>/start/", start.start, {"kind": "workflow"}, name="workflow-start"),
    path("actions/", definitions.actions, name="actions"),
    path("actions/<slug:name>/", definitions.action, name="action"),
    path("actions/<slug:name>/start/", start.start, {"kind": "action"}, name="action-start"),
    path("datastore/", datastore.datastore, name="datastore"),
    path("datastore/entry/", datastore.entry, name="entry"),
]
