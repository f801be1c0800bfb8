// The story, in order. The first answer that does not proceed is the answer of the pass.

import type { Interrupt, Stage } from './decision.ts';
import { rotation } from './keys/rotation.ts';
import { admission } from './release/admission.ts';
import { adoption } from './release/adoption.ts';
import { analysis } from './release/analysis.ts';
import { bake, bakeEnd } from './release/bake.ts';
import { candidate } from './release/candidate.ts';
import { configuration, configurationTidying } from './release/configuration.ts';
import { credentials } from './release/credentials.ts';
import { deletion } from './release/deletion.ts';
import { dependencies } from './release/dependencies.ts';
import { gates } from './release/gates.ts';
import { foreignTemplate, laterRecord, oldRecord } from './release/ownership.ts';
import { paused } from './release/paused.ts';
import { promotion } from './release/promotion.ts';
import { pruning } from './release/pruning.ts';
import { recollection } from './release/recollection.ts';
import { regression } from './release/regression.ts';
import { rehearsal } from './release/rehearsal.ts';
import { release } from './release/release.ts';
import { restoration } from './release/restoration.ts';
import { rollback } from './release/rollback.ts';
import { served } from './release/served.ts';
import { contraction } from './schema/contraction.ts';
import { downgrade } from './schema/downgrade.ts';
import { migration } from './schema/migration.ts';

/** What comes before every stage. */
export const interrupts: readonly Interrupt[] = [
  deletion,
  adoption,
  laterRecord,
  oldRecord,
  restoration,
  regression,
  rollback,
  recollection,
  gates,
  configuration,
  foreignTemplate,
  downgrade,
  paused,
  bakeEnd,
];

/** Both kinds have the same life; they differ in their objects. */
export const stages: readonly Stage[] = [
  dependencies,
  credentials,
  admission,
  migration,
  rehearsal,
  candidate,
  analysis,
  promotion,
  bake,
  release,
];

/** Beside the stages: what becomes of old columns, of the keys, and of releases long past, never decides about a release. */
export const schema: Interrupt = contraction;
export const keys: Interrupt = rotation;
export const tidying: Interrupt = seen => served(seen) ?? pruning(seen) ?? configurationTidying(seen);
