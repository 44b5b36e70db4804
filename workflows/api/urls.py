from django.urls import path

from workflows.api import approvals, commands, datastore, definitions, events, runs, starts

urlpatterns = [
    path("runs", runs.Runs.as_view(), name="api-runs"),
    path("runs/<uuid:run_id>", runs.RunView.as_view(), name="api-run"),
    path("runs/<uuid:run_id>/steps", runs.Steps.as_view(), name="api-steps"),
    path("runs/<uuid:run_id>/steps/<uuid:step_id>", runs.StepOfRun.as_view(), name="api-step"),
    path("runs/<uuid:run_id>/audit", runs.Audit.as_view(), name="api-run-audit"),
    path("runs/<uuid:run_id>/retries", commands.Retries.as_view(), name="api-retries"),
    path("runs/<uuid:run_id>/cancellation", commands.Cancellation.as_view(), name="api-cancellation"),
    path("runs/<uuid:run_id>/suspension", commands.Suspension.as_view(), name="api-suspension"),
    path("runs/<uuid:run_id>/resumption", commands.Resumption.as_view(), name="api-resumption"),
    path("runs/<uuid:run_id>/resolution", commands.Resolution.as_view(), name="api-resolution"),
    path("runs/<uuid:run_id>/undo", commands.Undo.as_view(), name="api-undo"),
    path("runs/<uuid:run_id>/skips", commands.Skips.as_view(), name="api-skips"),
    path("runs/<uuid:run_id>/firings", commands.Firings.as_view(), name="api-firings"),
    path("runs/<uuid:run_id>/answers", approvals.Answers.as_view(), name="api-answers"),
    path("approvals", approvals.Approvals.as_view(), name="api-approvals"),
    path("events", events.Events.as_view(), name="api-events"),
    path("events/<uuid:event_id>", events.EventView.as_view(), name="api-event"),
    path("actions", definitions.Actions.as_view(), name="api-actions"),
    path("actions/<slug:name>", definitions.ActionView.as_view(), name="api-action"),
    path("actions/<slug:name>/runs", starts.ActionRuns.as_view(), name="api-action-runs"),
    path(
        "actions/<slug:name>/versions/<str:version>/publication",
        definitions.ActionPublication.as_view(),
        name="api-action-publication",
    ),
    path("workflows", definitions.Workflows.as_view(), name="api-workflows"),
    path("workflows/validate", definitions.WorkflowValidation.as_view(), name="api-workflow-validation"),
    path("workflows/<slug:name>", definitions.WorkflowView.as_view(), name="api-workflow"),
    path("workflows/<slug:name>/runs", starts.WorkflowRuns.as_view(), name="api-workflow-runs"),
    path(
        "workflows/<slug:name>/versions/<str:version>/publication",
        definitions.WorkflowPublication.as_view(),
        name="api-workflow-publication",
    ),
    path("datastore", datastore.Entries.as_view(), name="api-entries"),
    path("datastore/<str:namespace>/<path:key>", datastore.EntryView.as_view(), name="api-entry"),
]
