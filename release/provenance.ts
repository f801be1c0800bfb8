// Where a release comes from, in the words of SLSA (https://slsa.dev/spec/v1.0/provenance) as an in-toto statement.
export interface Subject {
  readonly name: string;
  /** SHA-256 in hexadecimal digits. */
  readonly sha256: string;
}

export interface Origin {
  readonly revision: string;
  readonly isDirty: boolean;
  readonly version: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What went in beside the sources: name or package URL, and a digest where there is one. */
  readonly materials: readonly { readonly uri: string; readonly digest?: Readonly<Record<string, string>> }[];
  readonly builder: string;
}

/** No time is in it: the same commit, built the same way, has the same provenance. */
export const provenance = (subjects: readonly Subject[], origin: Origin): object => ({
  _type: 'https://in-toto.io/Statement/v1',
  subject: subjects.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
  predicateType: 'https://slsa.dev/provenance/v1',
  predicate: {
    buildDefinition: {
      buildType: 'https://devshelf.dev/release/v1',
      externalParameters: { version: origin.version, ...origin.parameters },
      internalParameters: origin.isDirty ? { uncommittedChanges: true } : {},
      resolvedDependencies: [{ uri: 'git+HEAD', digest: { gitCommit: origin.revision } }, ...origin.materials],
    },
    runDetails: { builder: { id: origin.builder } },
  },
});
