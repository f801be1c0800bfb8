// PURE: (model, terminal) -> what would happen, in the order in which it would.
import type { PlanModel } from '../views/plan.ts';
import { cut, hang, span, type Terminal, versionOf, wrap } from './lines.ts';

const CHANGES: Readonly<Record<PlanModel['change'], string>> = {
  created: 'would be created',
  changed: 'would be changed',
  unchanged: 'has this spec already',
};

const RELEASES: Readonly<Record<PlanModel['release']['is'], string>> = {
  serves: 'it serves already',
  'on trial': 'it is on trial now',
  new: 'a new release',
  known: 'known from before',
  rejected: 'rejected before',
  'new or known': 'a new release, or one that was tried before',
  unknown: 'not known',
};

export function drawPlan(model: PlanModel, terminal: Terminal): string[] {
  const { kind, name, namespace, change, fields, release, steps, notes } = model;
  const arrow = terminal.unicode ? '→' : '->';
  const hash = release.hash === undefined ? '' : ` (${release.hash})`;
  const said = release.said ? `: ${release.said}` : '';
  const width = Math.max(0, ...steps.map(({ stage }) => stage.length));
  const lines = [
    `${kind}/${name}  ${namespace}  ${CHANGES[change]}`,
    ...fields.flatMap(({ path, before, after }) =>
      hang('  ', `${path}: ${before ?? 'absent'} ${arrow} ${after ?? 'absent'}`, terminal),
    ),
    ...hang('release ', `${versionOf(release.image)}${hash}: ${RELEASES[release.is]}${said}`, terminal),
    ...(steps.length > 0 ? ['then, if nothing fails:'] : []),
    ...steps.flatMap(({ stage, what }, n) =>
      hang(`${String(n + 1).padStart(3)}. ${stage.padEnd(width)}  `, what, terminal),
    ),
    ...wrap(ending(model), terminal),
    ...notes.flatMap(note => hang('note: ', note, terminal)),
  ];
  return lines.map(line => cut(line, terminal));
}

function ending({ end, reason, message, steps, leastSeconds }: PlanModel): string {
  const words = `${reason}: ${message}`;
  if (end === 'refused')
    return steps.length > 0 ? `and then a person is needed. ${words}` : `nothing will happen. ${words}`;
  if (end === 'waits') return `and then it waits. ${words}`;
  if (steps.length === 0) return 'no release: no pod is replaced';
  return leastSeconds > 0 ? `takes ${span(leastSeconds * 1000)} at least` : 'at once';
}
