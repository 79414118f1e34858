/** A version of an event type: `1.0`, `2.1`, `2.1.3`. Without a patch it is that of patch 0, so that `1.0` and `1.0.0` are one. */
export interface TypeVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

const VERSION = /^(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?$/;

/** What events may carry as their `version`; null for other text. */
export function parseVersion(text: string): TypeVersion | null {
  const parts = VERSION.exec(text);
  if (parts === null) return null;
  return { major: Number(parts[1]), minor: Number(parts[2]), patch: Number(parts[3] ?? 0) };
}

/** The shortest spelling. */
export function versionText({ major, minor, patch }: TypeVersion): string {
  return patch === 0 ? `${major}.${minor}` : `${major}.${minor}.${patch}`;
}

/** Below 0 when `a` is the older one. */
export function compareVersions(a: TypeVersion, b: TypeVersion): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}
