// The resource is on its way out. Every child has an owner reference, so the garbage collector takes them;
// Jobs and their pods too. What is not ours (databases, referenced Secrets) has none and stays.
import { about, type Interrupt } from '../decision.ts';

const { wait } = about('Ready');

export const deletion: Interrupt = ({ app }) =>
  app.metadata.deletionTimestamp === undefined
    ? undefined
    : wait('Deleting', 'children are removed with the resource', 60_000);
