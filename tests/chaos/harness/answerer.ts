import type { ServerResponse } from 'node:http';
import { type Behaviour, ok } from './behaviour.ts';
import { misbehave } from './misbehave.ts';
import type { Random } from './random.ts';
import type { OpenRequest, ReceivedEvents } from './received-events.ts';

/** Answers requests as their endpoint is told to behave. */
export class Answerer {
  readonly #random: Random;
  readonly #events: ReceivedEvents;
  readonly #behaviours = new Map<number, Behaviour>();
  readonly #held = new Map<number, Set<() => void>>();

  constructor(random: Random, events: ReceivedEvents) {
    this.#random = random;
    this.#events = events;
  }

  behave(endpoint: number, behaviour: Behaviour): void {
    this.#behaviours.set(endpoint, behaviour);
  }

  release(endpoint: number): void {
    const held = this.#held.get(endpoint);
    this.#held.delete(endpoint);
    for (const answer of held ?? []) answer();
  }

  answer(request: OpenRequest, response: ServerResponse): void {
    let isOver = false;
    const over = (status: number) => {
      if (!isOver) this.#events.answered(request, status);
      isOver = true;
    };
    // The head is on its way: from here on the sender may believe it, even if the body never ends.
    response.on('finish', () => over(response.statusCode));
    response.on('close', () => over(response.headersSent && response.writableFinished ? response.statusCode : 0));
    this.#play(this.#behaviours.get(request.endpoint) ?? ok, request, response, over);
  }

  #play(behaviour: Behaviour, request: OpenRequest, response: ServerResponse, over: (status: number) => void): void {
    switch (behaviour.kind) {
      case 'answer': {
        const send = () => response.writeHead(behaviour.status, copied(behaviour.headers)).end();
        if (behaviour.afterMs === undefined) send();
        else setTimeout(send, behaviour.afterMs);
        return;
      }
      case 'hold':
        this.#hold(request.endpoint, response);
        return;
      case 'reset':
        response.socket?.resetAndDestroy();
        return;
      case 'misbehave':
        misbehave(behaviour.how, response, over);
        return;
      case 'answer-and-kill':
        response.writeHead(behaviour.status).end();
        kill(behaviour.pid);
        return;
      case 'first': {
        const before = behaviour.of === 'endpoint' ? request.ofEndpoint : request.attempt - 1;
        this.#play(before < behaviour.times ? behaviour.these : behaviour.rest, request, response, over);
        return;
      }
      case 'some':
        this.#play(this.#random() < behaviour.share ? behaviour.these : behaviour.others, request, response, over);
    }
  }

  #hold(endpoint: number, response: ServerResponse): void {
    const held = this.#held.get(endpoint) ?? new Set();
    this.#held.set(endpoint, held);
    const answer = () => void response.writeHead(204).end();
    held.add(answer);
    response.on('close', () => held.delete(answer));
  }
}

function copied(headers: Extract<Behaviour, { kind: 'answer' }>['headers']): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers ?? {}).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  );
}

/** A process that has ended already is as dead as it was to be. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
