// What is in an image, as SPDX 2.3 in JSON: the bundle's packages and what it stands on.
import { createHash } from 'node:crypto';
import type { Package } from './packages.ts';

/** A thing that is in the image and no npm package. */
export interface Component {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Package URL, https://github.com/package-url/purl-spec. */
  readonly purl: string;
}

export interface SbomSubject {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** RFC 3339, seconds: SPDX wants a time, and the same content must give the same document. */
  readonly created: string;
}

const EXPRESSION = /^[A-Za-z0-9.+()\- ]+$/;
const expression = (license: string): string =>
  EXPRESSION.test(license) && !/^(see|unlicensed)\b/i.test(license) ? license : 'NOASSERTION';

/** RFC 3339, to the second; as everything in a release says when it was made. @param epoch seconds since 1970 */
export const timeOf = (epoch: number): string => new Date(epoch * 1000).toISOString().replace('.000', '');

export const npmPurl = (name: string, version: string): string => `pkg:npm/${name.replace(/^@/, '%40')}@${version}`;

const idOf = (purl: string): string => `SPDXRef-${purl.replace(/[^A-Za-z0-9.-]+/g, '-')}`;

/** The document; its namespace is made of its content, so that two documents never share one. */
export function spdx(subject: SbomSubject, packages: readonly Package[], others: readonly Component[] = []): object {
  const parts = [
    ...others.map(({ purl, ...part }) => ({ ...part, purl, sha512: undefined })),
    ...packages.map(part => ({ ...part, purl: npmPurl(part.name, part.version) })),
  ].map(({ name, version, license, purl, sha512 }) => ({
    SPDXID: idOf(purl),
    name,
    versionInfo: version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: expression(license),
    copyrightText: 'NOASSERTION',
    ...(sha512 && { checksums: [{ algorithm: 'SHA512', checksumValue: sha512 }] }),
    externalRefs: [{ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl }],
  }));
  const root = {
    SPDXID: 'SPDXRef-image',
    name: subject.name,
    versionInfo: subject.version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: expression(subject.license),
    copyrightText: 'NOASSERTION',
    primaryPackagePurpose: 'CONTAINER',
  };
  const digest = createHash('sha256')
    .update(JSON.stringify([subject, parts]))
    .digest('hex');
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${subject.name}-${subject.version}`,
    documentNamespace: `https://devshelf.dev/spdx/${subject.name}-${subject.version}-${digest.slice(0, 32)}`,
    creationInfo: { created: subject.created, creators: ['Tool: devshelf-release'] },
    packages: [root, ...parts],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: root.SPDXID },
      ...parts.map(({ SPDXID }) => ({
        spdxElementId: root.SPDXID,
        relationshipType: 'CONTAINS',
        relatedSpdxElement: SPDXID,
      })),
    ],
  };
}
