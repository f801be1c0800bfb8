// Every reason that a condition, an event or an incident may carry, with its meaning in one line.
// docs/reasons.md has a section for each: cause and what to do.
export const REASONS = {
  // settled and moving
  AsExpected: 'Everything is as the spec wants it.',
  Progressing: 'A release is on its way.',
  Paused: 'spec.paused is true: nothing new begins.',
  Deleting: 'The resource is being deleted.',
  InvalidSpec: 'The stored object does not fit the schema of this operator version.',
  NotOwned: 'An object with the name of a child belongs to someone else and is left alone.',
  ApiError: 'The API server refused a write.',
  PodsUnavailable: 'No ready pod serves.',
  MinimumPodsAvailable: 'Enough pods serve.',

  // dependencies
  DependenciesPresent: 'Every referenced Secret and ConfigMap is there.',
  SecretMissing: 'A referenced Secret does not exist.',
  SecretKeyMissing: 'A referenced Secret has no such key.',
  ConfigMapMissing: 'A referenced ConfigMap does not exist.',
  ConfigMapKeyMissing: 'A referenced ConfigMap has no such key.',
  DependencyUnreadable: 'A referenced object could not be read.',
  InvalidDatabaseURL: 'The value of the database Secret is not a PostgreSQL URL.',

  // credentials
  KeysMinted: 'Every key is there and mounted.',
  Minting: 'A key is being made for the first time.',
  KeyringUnreadable: 'A keyring Secret could not be read or does not hold what it should.',
  KeysRotating: 'A key is being replaced; callers are served with the old and with the new one.',
  KeyRotated: 'A key was replaced: the old one is refused now.',
  RotationHeld: 'A rotation cannot go on, or cannot begin; what callers hold is accepted.',

  // migration
  UpToDate: 'The database says that its schema is up to date.',
  MigrationsDisabled: 'spec.migrations.policy is Disabled.',
  MigrationPending: 'The policy is Manual and the Job was not asked for yet.',
  Starting: 'The migration Job is being made.',
  PodStarting: 'The pod of the migration Job is starting.',
  Running: 'The migration Job runs.',
  Verifying: 'The Job ended; its verdict is being read.',
  QueuedBehind: 'Another migration of the same database runs.',
  DatabaseUnreachable: 'The database does not answer; it is tried again until it does.',
  PodCannotStart: 'A pod cannot start; the message has the kubelet’s words.',
  JobFailed: 'The migration Job failed.',
  DeadlineExceeded: 'The migration Job was stopped after activeDeadlineSeconds.',
  FalseSuccess: 'The Job exited with 0 but gave no verdict that the schema is up to date.',
  ExitCodeOnly: 'A foreign migration command: only its exit code is known.',
  MigrationInterrupted: 'A migration began and neither ended nor failed.',
  MigrationEdited: 'A migration that was applied before has been changed since.',

  // rehearsal
  RehearsalRunning: 'A pod of the release is tried where no user meets it.',
  RehearsalPassed: 'The pod of the release passed its rehearsal.',
  RehearsalFailed: 'The pod of the release failed its rehearsal.',
  SmokeTestFailed: 'A smoke test was not answered as expected.',

  // candidate, analysis, promotion, bake
  CandidateStarting: 'The candidate pods join the Service.',
  CandidateFailed: 'The candidate crashed or did not get ready in time.',
  ProgressDeadlineExceeded: 'The release did not get ready within progressDeadlineSeconds.',
  WaitingForRollback: 'The earlier candidate leaves before the newest begins.',
  Analysing: 'The candidate answers users and is judged.',
  AnalysisPassed: 'The candidate was found Good.',
  AnalysisDisabled: 'spec.rollout.analysis.policy is Disabled.',
  InsufficientTraffic: 'Too few requests came to judge the candidate.',
  Blind: 'The candidate’s metrics cannot be read.',
  DependencyDegraded: 'Stable and new pods fail alike: the release is not to blame.',
  Regression: 'The release answers too many requests with 5xx, or its pods crash.',
  Held: 'The release is bad and the policy says to wait for a person.',
  Promoting: 'The release replaces the stable pods.',
  Baking: 'The release serves everybody and is still watched.',
  Released: 'The release is the new stable.',
  ReleaseForgotten: 'The ControllerRevision of a release that runs was removed; it is made again from what runs.',
  RollingBack: 'The stable release is coming back.',
  RolledBack: 'The release was taken back; the stable one serves.',
  ReleaseRejected: 'This release was rejected before and is not tried again by itself.',
  FirstReleaseFailed: 'The first release is bad and there is none to go back to.',
  NoRelease: 'Nothing was released yet.',

  // around
  Monitored: 'Prometheus is told about the pods.',
  MonitoringDisabled: 'spec.monitoring.serviceMonitor is Disabled.',
  ServiceMonitorAPIMissing: 'The cluster has no ServiceMonitor API.',
  AutoscalerActive: 'The HorizontalPodAutoscaler works.',
  AutoscalerNotReady: 'The HorizontalPodAutoscaler cannot read what it needs.',
} as const satisfies Record<string, string>;

export type Reason = keyof typeof REASONS;
