import type { Stage, StageSpec } from './stage.ts';
import type { Figures } from './window.ts';

export interface Play {
  /** Before anything is measured. */
  readonly warmUpMs: number;
  readonly measureMs: number;
  readonly sustainMs: number;
  readonly keptEvents: number;
}

/** One measurement, on a stage of its own. What it accepted is checked when it has ended. */
export interface Scenario {
  /** Lower case letters and digits: it is part of ids. */
  readonly name: string;
  readonly title: string;
  /** Left out unless asked for by name. */
  readonly onlyByName?: true;
  /** A name for several of them. */
  readonly set?: string;
  readonly stage: StageSpec;
  play(stage: Stage, play: Play): Promise<Figures>;
}
