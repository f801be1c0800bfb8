// Whether another installation of the operator works on the resource, too. One that knows the Lease stands back; one from
// before it does not, and is known by the status that it writes. Nothing is decided by either.
import type { Condition } from '../../api/conditions.ts';
import type { Snapshot } from '../snapshot.ts';

/** There only while there is another one. */
export function soleOperator({ app, otherOperator, isContested }: Snapshot): readonly Condition[] {
  const said = (message: string): readonly Condition[] => [
    { type: 'SoleOperator', status: 'False', reason: 'OtherOperator', message },
  ];
  const { namespace } = app.metadata;
  if (otherOperator !== undefined)
    return said(
      `${otherOperator} watches namespace ${namespace}, too, and stands back: let one of the two watch other namespaces (WATCH_NAMESPACES), or remove it`,
    );
  if (!isContested) return [];
  return said(
    `somebody else writes this status, too, again and again: an operator of version 0.1.0 that watches namespace ${namespace} does so, and does not stand back: upgrade or remove it, or let it watch other namespaces (WATCH_NAMESPACES)`,
  );
}
