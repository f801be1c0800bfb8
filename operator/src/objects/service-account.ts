import { type App, childMeta, type KubeObject } from './app.ts';
import { names } from './names.ts';

/**
 * An account that may do nothing. It is kept even where the spec names another one: pods of an older release may still
 * need it to start.
 */
export function serviceAccount(app: App): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: childMeta(app, names.serviceAccount(app.metadata.name)),
    automountServiceAccountToken: false,
  };
}
