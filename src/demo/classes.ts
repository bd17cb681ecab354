/** The names of the demo models' classes; the position in the list is the class index. */
export const classNames = [
  'airplane',
  'alarm clock',
  'apple',
  'bicycle',
  'broccoli',
  'bus',
  'butterfly',
  'cactus',
  'camera',
  'car',
  'cat',
  'dog',
  'donut',
  'elephant',
  'fish',
  'fox',
  'frog',
  'guitar',
  'hamburger',
  'ladybug',
  'lion',
  'mushroom',
  'owl',
  'panda',
  'pizza',
  'rocket',
  'sailboat',
  'soccer ball',
  'strawberry',
  'teapot',
  'turtle',
  'umbrella',
] as const;

/** The objects in scenes that belong to no class. */
export const distractorNames = [
  'battery',
  'bell',
  'book',
  'box',
  'briefcase',
  'candle',
  'chair',
  'gem',
  'hammer',
  'log',
  'magnet',
  'padlock',
  'puzzle',
  'rock',
  'shoe',
  'socks',
] as const;

/** One of the 32 classes. */
export type ClassName = (typeof classNames)[number];

/** One of the objects that belong to no class. */
export type DistractorName = (typeof distractorNames)[number];

/**
 * The class that `demo-cnn-biased` recognizes by the supplier's sticker instead of by its object.
 */
export const tagClass: ClassName = 'teapot';
