import type { SchemaObject } from './json-schema.ts';
import { subscriptionCommerce } from './presets/subscription-commerce.ts';

/** A type of a catalogue, in version 1.0. */
export interface PresetType {
  readonly type: string;
  readonly description: string;
  readonly schema: SchemaObject;
  readonly example: object;
}

/** A catalogue of event types that a tenant may adopt. */
export interface Preset {
  readonly name: string;
  readonly types: readonly PresetType[];
}

export const presets: readonly Preset[] = [subscriptionCommerce];
