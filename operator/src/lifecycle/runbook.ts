// The story, in order. The first answer that does not proceed is the answer of the pass.
import { admission } from './admission.ts';
import { analysis } from './analysis.ts';
import { bake } from './bake.ts';
import { candidate } from './candidate.ts';
import { credentials } from './credentials.ts';
import type { Interrupt, Stage } from './decision.ts';
import { deletion } from './deletion.ts';
import { dependencies } from './dependencies.ts';
import { migration } from './migration.ts';
import { paused } from './paused.ts';
import { promotion } from './promotion.ts';
import { recollection } from './recollection.ts';
import { regression } from './regression.ts';
import { rehearsal } from './rehearsal.ts';
import { release } from './release.ts';
import { restoration } from './restoration.ts';
import { rollback } from './rollback.ts';
import { rotation } from './rotation.ts';

/** What comes before every stage. */
export const interrupts: readonly Interrupt[] = [deletion, restoration, recollection, regression, rollback, paused];

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

/** Beside the stages: what becomes of the keys never decides about a release. */
export const keys: Interrupt = rotation;
