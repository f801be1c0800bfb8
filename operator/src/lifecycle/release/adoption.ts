// What an earlier resource of this name left behind on purpose (`kubectl delete --cascade=orphan`) belongs to nobody. A
// person who says so with an annotation gives all of it to this resource: its pods, its keys and its releases go on.
import { ANNOTATIONS } from '../../objects/names.ts';
import { about, type Interrupt } from '../decision.ts';
import { bracketed, wordsForRequest } from '../requested.ts';

const { act } = about('Ready');

export const adoption: Interrupt = seen => {
  const { orphans } = seen;
  if (orphans.length === 0) return undefined;
  const named = orphans.map(({ kind, name }) => `${kind} ${name}`);
  const more = named.length > 5 ? ` and ${named.length - 5} more` : '';
  return act(
    'Adopted',
    `${named.slice(0, 5).join(', ')}${more} belonged to nobody and is taken over${bracketed(wordsForRequest(seen, ANNOTATIONS.adopt))}`,
    { do: 'adopt', orphans },
    'Normal',
  );
};
