// A release as it was written down, read again.
import { parseRequester } from '../../api/incident.ts';
import { readNote } from '../../api/notes.ts';
import type { Release } from '../../api/rollout.ts';
import type { Revision } from '../snapshot.ts';

type Note =
  | 'migration'
  | 'rehearsal'
  | 'served'
  | 'downgrade'
  | 'gone'
  | 'firstMetrics'
  | 'verdict'
  | 'retryToken'
  | 'attempt'
  | 'requestedBy';

export interface Written {
  readonly name: string;
  readonly number: number;
  readonly release: Release;
  /** Texts of its annotations. */
  readonly notes: Readonly<Partial<Record<Note, string>>>;
}

/**
 * An annotation that somebody made unreadable counts as absent: what it said is found out anew.
 * @param createdAt RFC 3339
 */
export function remembered({ name, number, release, notes }: Written, createdAt: string): Revision {
  const migration = readNote('migration', notes.migration);
  const rehearsal = readNote('rehearsal', notes.rehearsal);
  const served = readNote('served', notes.served);
  const downgrade = readNote('downgrade', notes.downgrade);
  const gone = readNote('gone', notes.gone);
  const requestedBy = parseRequester(notes.requestedBy);
  const scraped = readNote('firstMetrics', notes.firstMetrics)?.scraped;
  return {
    name,
    number,
    release,
    verdict: readNote('verdict', notes.verdict) ?? {
      verdict: 'pending',
      reason: 'Progressing',
      message: '',
      at: createdAt,
    },
    ...(notes.retryToken !== undefined && { retryToken: notes.retryToken }),
    ...(Number(notes.attempt) > 1 && { attempt: Number(notes.attempt) }),
    ...(requestedBy && { requestedBy }),
    ...(served && { served }),
    ...(scraped && { scraped }),
    ...(migration && { migration }),
    ...(downgrade && { downgrade }),
    ...(gone && { gone }),
    ...(rehearsal && { rehearsal }),
  };
}
