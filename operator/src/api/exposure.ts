// What follows from how the world reaches the service.
import type { Exposure } from './schema/exposure.ts';

export type { Exposure };

/** The Gateway is given listeners of ours, with a certificate of ours. */
export const hasOwnListeners = ({ type, tls }: Exposure): boolean => type === 'Gateway' && tls !== undefined;

/** Where a route is attached. */
export interface RouteParent {
  readonly kind: 'Gateway' | 'ListenerSet';
  readonly name: string;
  readonly namespace: string;
  readonly sectionName?: string;
}
