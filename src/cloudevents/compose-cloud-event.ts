import type { Fault } from '../domain/errors.ts';
import { coreProblem, extensionNameProblem, extensionProblem, isCoreAttribute } from './attribute-rules.ts';
import type { CloudEvent, CoreAttribute, EventData, Extension, ExtensionValue } from './cloud-event.ts';

export type CloudEventResult =
  | { readonly ok: true; readonly event: CloudEvent }
  /** Paths are names of attributes, `data` or `data_base64`; empty for the whole. */
  | { readonly ok: false; readonly faults: readonly Fault[] };

const REQUIRED: readonly CoreAttribute[] = ['specversion', 'id', 'source', 'type'];
const MAX_EXTENSIONS = 64;

/**
 * Puts an event together from what a format or a protocol carried.
 * @param attributes by name, without prefix, in any order; those that are unset are absent
 * @param data what `datacontenttype` makes of the payload, or what is wrong with it
 */
export function composeCloudEvent(
  attributes: Iterable<readonly [string, unknown]>,
  data: (datacontenttype: string | undefined) => EventData | null | Fault,
): CloudEventResult {
  const { core, extensions, faults } = sortOut(attributes);
  for (const name of REQUIRED) if (!core.has(name)) faults.push({ path: name, message: 'required' });
  const payload = data(core.get('datacontenttype'));
  if (payload !== null && 'path' in payload) faults.push(payload);
  else if (faults.length === 0) return { ok: true, event: eventOf(core, extensions, payload) };
  return { ok: false, faults };
}

interface SortedOut {
  readonly core: Map<CoreAttribute, string>;
  readonly extensions: Extension[];
  readonly faults: Fault[];
}

function sortOut(attributes: Iterable<readonly [string, unknown]>): SortedOut {
  const sorted: SortedOut = { core: new Map(), extensions: [], faults: [] };
  const { core, extensions, faults } = sorted;
  const seen = new Set<string>();
  for (const [path, value] of attributes) {
    const problem = isCoreAttribute(path)
      ? coreProblem(path, value)
      : (extensionNameProblem(path) ?? extensionProblem(value));
    if (seen.has(path)) faults.push({ path, message: 'given more than once' });
    else if (problem !== null) faults.push({ path, message: problem });
    // A core attribute with a fault is there: it is not missing as well.
    if (isCoreAttribute(path)) core.set(path, String(value));
    else if (problem === null) extensions.push({ name: path, value: value as ExtensionValue });
    seen.add(path);
  }
  if (extensions.length > MAX_EXTENSIONS)
    faults.push({ path: '', message: `expected at most ${MAX_EXTENSIONS} extension attributes` });
  return sorted;
}

function eventOf(core: SortedOut['core'], extensions: Extension[], data: EventData | null): CloudEvent {
  return {
    id: core.get('id')!,
    source: core.get('source')!,
    type: core.get('type')!,
    subject: core.get('subject'),
    time: core.get('time'),
    datacontenttype: core.get('datacontenttype'),
    dataschema: core.get('dataschema'),
    extensions: extensions.sort((a, b) => (a.name < b.name ? -1 : 1)),
    data,
  };
}
