// A stored status, as it is read.
import { readablePartOf } from './misfits.ts';
import { statusPlan } from './plans.ts';
import { readerOf } from './reading.ts';
import type { AppStatus } from './schema/status.ts';

export type { AppStatus, Incident, KeyStatus, ReleaseStatus, StatusCondition } from './schema/status.ts';

const readWhole = readerOf<AppStatus>(statusPlan());

/**
 * A stored status as far as this version can read it: a newer operator, or somebody else, may have written what it does
 * not know. It is only what was seen last, so what is left out is found anew, and never stops anything.
 */
export const readStatus = (value: unknown): AppStatus => readWhole(value) ?? readablePartOf(value);
