/** The guided visit: a pupil finds out how the model cheats. */
class Guide {
  isOpen = $state(false);
  step = $state(0);

  toggle(): void {
    this.isOpen = !this.isOpen;
    this.step = 0;
  }
}

export const guide = new Guide();
