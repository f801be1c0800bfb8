import crypto from 'node:crypto';

/** In one call where Node has one (20.12 on): an object for each hash is memory that only the next collection gives back. */
export function sha256(text: string, encoding: 'hex' | 'base64url' = 'hex'): string {
  if (crypto.hash !== undefined) return crypto.hash('sha256', text, encoding);
  return crypto.createHash('sha256').update(text).digest(encoding);
}
