// Certificates of a test cluster, made anew for each start by openssl. Nothing here is meant to protect anything.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './run.ts';

/** Files of a certificate and its key. */
export type Pair = { readonly cert: string; readonly key: string };

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const valid = (days = 365): readonly string[] => ['-days', String(days)];

const pair = (folder: string, name: string): Pair => ({
  cert: join(folder, `${name}.crt`),
  key: join(folder, `${name}.key`),
});

/** A certificate authority of its own. */
export const authority = async (folder: string, name: string): Promise<Pair> => {
  const made = pair(folder, name);
  const files = ['-keyout', made.key, '-out', made.cert];
  await run(['openssl', 'req', '-x509', ...NEW_KEY, ...files, ...valid(), '-subj', `/CN=devshelf-${name}`]);
  return made;
};

export type Subject = {
  readonly commonName: string;
  readonly organization?: string;
  /** As openssl writes them: `IP:127.0.0.1`, `DNS:localhost`. */
  readonly alternativeNames?: readonly string[];
  /** For how many days from now. */
  readonly days?: number;
};

/** A certificate for servers and clients alike, signed by `issuer`. */
export const certificate = async (folder: string, issuer: Pair, name: string, subject: Subject): Promise<Pair> => {
  const made = pair(folder, name);
  const request = join(folder, `${name}.csr`);
  const extensions = join(folder, `${name}.ext`);
  const distinguishedName = `${subject.organization ? `/O=${subject.organization}` : ''}/CN=${subject.commonName}`;
  const names = (subject.alternativeNames ?? [`DNS:${name}`]).join(',');
  writeFileSync(extensions, `subjectAltName=${names}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  await run(['openssl', 'req', ...NEW_KEY, '-keyout', made.key, '-out', request, '-subj', distinguishedName]);
  const signed = ['-in', request, '-CA', issuer.cert, '-CAkey', issuer.key, '-set_serial', serial()];
  await run(['openssl', 'x509', '-req', ...signed, '-out', made.cert, ...valid(subject.days), '-extfile', extensions]);
  return made;
};

let serials = Date.now();
// certificates are made at the same time, so openssl's own serial file would be a race
const serial = (): string => `${serials++}`;

/** The key pair that signs service account tokens. */
export const signingKey = async (
  folder: string,
): Promise<{ readonly privateKey: string; readonly publicKey: string }> => {
  const made = { privateKey: join(folder, 'sa.key'), publicKey: join(folder, 'sa.pub') };
  await run(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', made.privateKey]);
  await run(['openssl', 'ec', '-in', made.privateKey, '-pubout', '-out', made.publicKey]);
  return made;
};

const base64 = (file: string): string => readFileSync(file, 'base64');

/** A kubeconfig with everything in it. JSON is YAML, too. */
export const kubeconfig = (server: string, ca: Pair, client: Pair): string =>
  JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'devshelf',
      clusters: [{ name: 'devshelf', cluster: { server, 'certificate-authority-data': base64(ca.cert) } }],
      users: [
        {
          name: 'devshelf',
          user: { 'client-certificate-data': base64(client.cert), 'client-key-data': base64(client.key) },
        },
      ],
      contexts: [{ name: 'devshelf', context: { cluster: 'devshelf', user: 'devshelf' } }],
    },
    null,
    2,
  );
