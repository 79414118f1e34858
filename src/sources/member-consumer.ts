import { type API, type Callback, type ConsumerOptions, type GroupAssignment, kGetApi } from '@platformatic/kafka';
import { CarefulConsumer, type CarefulOptions } from './careful-consumer.ts';
import type { PartitionOffset } from './offset-committer.ts';

/** What a member was given when its group met. */
export interface Membership {
  readonly memberId: string | null;
  /** One more each time the group meets. */
  readonly generationId: number;
  readonly assignments: readonly GroupAssignment[];
}

interface ToldTopic {
  readonly name: string;
  readonly partitions: readonly { readonly partitionIndex: number }[];
}

type Answered = (error: Error | null, response?: object) => void;
/** What the client gives to the call of the protocol. */
type Told = [
  connection: unknown,
  group: unknown,
  generationId: number,
  memberId: string | null,
  instanceId: unknown,
  topics: readonly ToldTopic[],
  answered: Answered,
];

const MEETING = 'The group is meeting: what it gives to this member is not known yet.';

/**
 * A consumer that tells the group of partitions that it has had without a break alone. Over some refusals the client joins the group anew
 * and sends the same offsets again as a member of the next generation, whoever has the partitions then: another member may be further on.
 */
export class MemberConsumer extends CarefulConsumer {
  #membership: Membership | null = null;
  /** Under which that is which is being told was read. */
  #since: Membership | null = null;
  #telling: Promise<void> = Promise.resolve();

  constructor(options: ConsumerOptions<Buffer, Buffer, Buffer, Buffer>, careful: CarefulOptions) {
    super(options, careful);
    this.on('consumer:group:join', () => {
      const { memberId, generationId, assignments } = this;
      this.#membership = { memberId, generationId, assignments: assignments ?? [] };
    });
  }

  /** As the group met last; null: this member has not been there. */
  get membership(): Membership | null {
    return this.#membership;
  }

  /**
   * Tells the group how far partitions are. What was another member's meanwhile is left out, as if it had been told.
   * @param since the membership under which that was read
   * @throws what the client says when it cannot be told, also when the group has been meeting for a second and has not come to an end
   */
  tell(offsets: readonly PartitionOffset[], since: Membership | null): Promise<void> {
    // One after the other, also where nobody waits for the first any more: each is held against its own membership.
    const told = this.#telling.then(() => {
      this.#since = since;
      return this.commit({ offsets: [...offsets] });
    });
    this.#telling = told.catch(() => {});
    return told;
  }

  override [kGetApi]<RequestArguments extends unknown[], ResponseType>(
    name: string,
    callback: Callback<API<RequestArguments, ResponseType>>,
  ): void {
    super[kGetApi]<RequestArguments, ResponseType>(name, (error, api) => {
      callback(error, (api && name === 'OffsetCommit' ? this.#leavingOut(api) : api)!);
    });
  }

  /** The call of the protocol, which is given no partition that is another's to tell of. */
  #leavingOut<Call extends object>(api: Call): Call {
    const ask = api as unknown as (...parameters: Told) => unknown;
    const asked = (...[connection, group, generationId, memberId, instanceId, topics, answered]: Told) => {
      // What it is given this time is not known yet. The client asks again a few times within a second, and whoever told of it after that.
      if (this.#isJoining(generationId, memberId)) return answered(new Error(MEETING));
      const own = this.#ownOf(topics, memberId);
      if (own.length === 0) return answered(null, {});
      return ask(connection, group, generationId, memberId, instanceId, own, answered);
    };
    return Object.assign(asked, api) as unknown as Call;
  }

  /** Whether the group has counted it in, and it has not heard yet with what. */
  #isJoining(generationId: number, memberId: string | null): boolean {
    const now = this.#membership;
    return memberId !== null && (now?.generationId !== generationId || now.memberId !== memberId);
  }

  #ownOf(topics: readonly ToldTopic[], memberId: string | null): readonly ToldTopic[] {
    const now = this.#membership;
    // Of one that is no member the broker takes nothing, and the client joins the group anew.
    if (now === null || memberId === null) return topics;
    return topics
      .map(({ name, partitions }) => ({
        name,
        partitions: partitions.filter(({ partitionIndex }) => hasKept(this.#since, now, name, partitionIndex)),
      }))
      .filter(({ partitions }) => partitions.length > 0);
  }
}

/** Whether a partition was a member's all the time: in each of two generations that are one or follow each other. */
function hasKept(since: Membership | null, now: Membership, topic: string, partition: number): boolean {
  if (since === null || since.memberId !== now.memberId) return false;
  const meetings = now.generationId - since.generationId;
  if (meetings !== 0 && meetings !== 1) return false;
  return [since, now].every(({ assignments }) =>
    assignments.some((own) => own.topic === topic && own.partitions.includes(partition)),
  );
}
