import { type Cursor, START } from '../store/mailbox.ts';

/** What is known of the parked rows of one endpoint that are of one class. */
export class ParkedPart {
  /** Whether the table holds such rows, and where to go on reading them. */
  hasRows = false;
  cursor: Cursor = START;
  /** Rises with each parking, so that a read that was under way meanwhile does not conclude that nothing is parked. */
  parkings = 0;

  /** There may be some, also before where reading goes on: a retry by hand makes a parked row another class's. */
  found(): void {
    if (!this.hasRows) this.mark();
    else this.cursor = START;
  }

  mark(): void {
    this.hasRows = true;
    this.cursor = START;
    this.parkings++;
  }
}
