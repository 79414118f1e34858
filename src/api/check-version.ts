import { isDeepStrictEqual } from 'node:util';
import { type Fault, Refusal } from '../domain/errors.ts';
import type { Cast, CastDirection } from '../event-types/cast.ts';
import { CastTooLarge, castPlan } from '../event-types/cast-data.ts';
import type { Problem } from '../event-types/compare-schemas.ts';
import type { Validator } from '../event-types/compile-schema.ts';
import type { JsonSchema } from '../event-types/json-schema.ts';
import { castFaults } from '../event-types/read-cast.ts';
import type { SchemaDesk } from '../event-types/schema-desk.ts';
import { compareVersions, parseVersion, type TypeVersion, versionText } from '../event-types/type-version.ts';
import type { EventTypeVersion } from '../store/event-types.ts';
import type { VersionInput } from './event-type-schema.ts';

/** The JSON texts of a version that may be registered. */
export interface CheckedVersion {
  readonly schema: string;
  readonly example: string | null;
  readonly casts: string | null;
}

/**
 * Whether a version is registered already as the body has it.
 * @throws Refusal 409 when it is there with another schema or other casts
 */
export function isKnown(known: EventTypeVersion, { schema, casts }: VersionInput): boolean {
  const isSame = isDeepStrictEqual(JSON.parse(known.schema), schema) && isSameCast(known.casts, casts ?? null);
  if (isSame) return true;
  const detail = `Version ${versionText(known)} is registered with another schema or other casts. They never change: register a new version.`;
  throw new Refusal(409, 'version_exists', detail);
}

function isSameCast(stored: string | null, given: VersionInput['casts'] | null): boolean {
  const { inherited = false, ...cast } = (stored === null ? { inherited: true } : JSON.parse(stored)) as Partial<Cast>;
  if (given === null || given === undefined || inherited) return (given ?? null) === null && inherited;
  const from = given.from.endsWith('.x') ? `${cast.from?.split('.')[0]}.x` : cast.from;
  return isDeepStrictEqual({ ...wholeCast(given), from: given.from }, { ...cast, from });
}

/**
 * Checks a new version against those of its type that are registered. What needs no compiled schema is checked first.
 * @throws Refusal 422 for what is wrong with it by itself, 409 `incompatible_schema` for what breaks a promise of its major, 429
 */
export async function checkVersion(
  version: TypeVersion,
  input: VersionInput,
  others: readonly EventTypeVersion[],
  desk: SchemaDesk,
): Promise<CheckedVersion> {
  const reading = await desk.read(input.schema);
  if (!reading.ok) throw invalid(reading.faults.map(({ path, message }) => ({ path: under('schema', path), message })));
  const casts = castsOf(version, input, others);
  const tried = casts === null ? null : await castExamples(casts, input, others, desk);
  const validate = await desk.compile(reading.schema, 'example');
  if (input.example !== undefined) await checkExample(input.example, validate, desk);
  await refuseIncompatible(version, reading.schema, others, desk);
  if (tried !== null) await checkCasts(tried, validate, desk);
  return {
    schema: JSON.stringify(input.schema),
    example: input.example === undefined ? null : JSON.stringify(input.example),
    casts: casts === null ? null : JSON.stringify(casts),
  };
}

/** @throws Refusal 422, 429 */
export async function checkExample(example: unknown, validate: Validator, desk: SchemaDesk): Promise<void> {
  const validation = await desk.check(example, validate);
  if (validation.kind === 'invalid') throw invalid(validation.faults);
  if (validation.kind === 'too_large') throw invalid([{ path: 'example', message: 'has too many values' }]);
  if (validation.kind !== 'valid') throw invalid([{ path: 'example', message: 'takes too long to be checked' }]);
}

/**
 * Within a major each version accepts what those before it accepted. All are looked at, not the nearest alone: what one left open the next may
 * describe, and an earlier one may have described it otherwise.
 */
async function refuseIncompatible(
  version: TypeVersion,
  schema: JsonSchema,
  others: readonly EventTypeVersion[],
  desk: SchemaDesk,
): Promise<void> {
  const ofMajor = others.filter(({ major }) => major === version.major);
  const before = ofMajor.filter((other) => compareVersions(other, version) < 0).reverse();
  const after = ofMajor.filter((other) => compareVersions(other, version) > 0);
  for (const other of before) {
    refuseProblems(await desk.compare(schemaOf(other), schema), other, 'accepted by');
  }
  for (const other of after) {
    refuseProblems(await desk.compare(schema, schemaOf(other)), other, 'to be accepted by');
  }
}

function schemaOf({ schema }: EventTypeVersion): JsonSchema {
  return JSON.parse(schema) as JsonSchema;
}

function refuseProblems(problems: readonly Problem[], other: EventTypeVersion, relation: string): void {
  if (problems.length === 0) return;
  const detail = `The schema cannot be shown to go together with what is ${relation} version ${versionText(other)}. A version of the same major must accept what those before it accepted; a new major may break.`;
  const faults = problems.slice(0, 50).map(({ path, message }) => ({ path: under('schema', path), message }));
  throw new Refusal(409, 'incompatible_schema', detail, { faults });
}

/** The casts of a version: its own, else those of the version before it in its major. */
function castsOf(version: TypeVersion, { casts }: VersionInput, others: readonly EventTypeVersion[]): Cast | null {
  if (casts === undefined || casts === null) {
    const inherited = others.findLast(
      (other) => other.major === version.major && compareVersions(other, version) < 0 && other.casts !== null,
    );
    return inherited === undefined ? null : { ...(JSON.parse(inherited.casts!) as Cast), inherited: true };
  }
  const newest = others.at(-1);
  // Otherwise events that are on their way now would be cast in another way from now on.
  if (newest !== undefined && compareVersions(newest, version) > 0) {
    throw castRefusal('casts', `only the newest version of a type declares casts, and ${versionText(newest)} is there`);
  }
  const first = others.find(({ major }) => major === version.major);
  if (first !== undefined && first.casts === null) {
    throw castRefusal(
      'casts',
      `${versionText(first)}, the first of its major, declares none: later ones cannot begin to`,
    );
  }
  const cast = wholeCast(casts);
  const faults = castFaults(cast);
  if (faults.length > 0) throw invalid(faults);
  return { ...cast, from: versionText(sourceOf(casts.from, version, others)) };
}

function wholeCast({ renames = {}, defaults = {}, removes = [], restores = {} }: NonNullable<VersionInput['casts']>) {
  return { renames, defaults, removes, restores };
}

function sourceOf(from: string, version: TypeVersion, others: readonly EventTypeVersion[]): EventTypeVersion {
  const wanted = parseVersion(from);
  const found =
    wanted === null
      ? others.findLast(({ major }) => `${major}.x` === from)
      : others.find((other) => compareVersions(other, wanted) === 0);
  if (found === undefined) throw castRefusal('casts.from', 'no such version of this type');
  const previous = others.findLast(({ major }) => major < version.major)?.major;
  if (found.major !== previous) {
    throw castRefusal(
      'casts.from',
      `expected a version of the major before${previous === undefined ? '' : `, ${previous}`}`,
    );
  }
  return found;
}

interface CastExamples {
  readonly source: EventTypeVersion;
  /** The example of the source, cast into this version; null if there is none. */
  readonly up: { readonly value: unknown } | null;
  /** The example of this version, cast into that of the source; null if there is none. */
  readonly down: { readonly value: unknown } | null;
}

/** Tries the casts on the examples of both versions. */
async function castExamples(
  cast: Cast,
  input: VersionInput,
  others: readonly EventTypeVersion[],
  desk: SchemaDesk,
): Promise<CastExamples> {
  const source = others.find((other) => versionText(other) === cast.from)!;
  const made = async (example: string, direction: CastDirection) => {
    const text = await desk.cast(example, castPlan(cast, direction));
    if (text instanceof CastTooLarge) throw castRefusal('casts', text.message);
    return { value: JSON.parse(text) as unknown };
  };
  return {
    source,
    up: source.example === null ? null : await made(source.example, 'up'),
    down: input.example === undefined ? null : await made(JSON.stringify(input.example), 'down'),
  };
}

async function checkCasts({ source, up, down }: CastExamples, validate: Validator, desk: SchemaDesk): Promise<void> {
  const from = versionText(source);
  const checkOne = async (value: unknown, check: Validator, of: string) => {
    const validation = await desk.check(value, check);
    if (validation.kind !== 'invalid') return;
    const [first] = validation.faults;
    throw castRefusal('casts', `${of}, cast, is not valid: ${first?.path}: ${first?.message}`);
  };
  if (up !== null) await checkOne(up.value, validate, `the example of ${from}`);
  if (down === null) return;
  const older = await desk.compile(schemaOf(source), 'data');
  await checkOne(down.value, older, `the example of this version for receivers of ${from}`);
}

function castRefusal(path: string, message: string): Refusal {
  return invalid([{ path, message }]);
}

function invalid(faults: readonly Fault[]): Refusal {
  return new Refusal(422, 'invalid', 'The body is not valid.', { faults });
}

function under(place: string, path: string): string {
  return path === '' ? place : `${place}.${path}`;
}
