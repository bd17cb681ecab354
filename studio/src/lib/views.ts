import type { Component } from 'svelte';

/** A way to look at the model: one tab of the page. */
export interface View {
  readonly id: string;
  readonly title: string;
  /** The question that it answers. */
  readonly question: string;
  readonly load: () => Promise<{ readonly default: Component }>;
}

export const VIEWS: readonly View[] = [
  {
    id: 'look',
    title: 'Look',
    question: 'Where does the model find its evidence?',
    load: () => import('../views/Look.svelte'),
  },
  {
    id: 'compare',
    title: 'Compare',
    question: 'Do methods agree? What speaks for one class and what for another?',
    load: () => import('../views/Compare.svelte'),
  },
  {
    id: 'paint',
    title: 'Paint',
    question: 'What if this part was not there?',
    load: () => import('../views/Paint.svelte'),
  },
  {
    id: 'steps',
    title: 'Hide and show',
    question: 'How much of the picture does the model need?',
    load: () => import('../views/Steps.svelte'),
  },
  {
    id: 'graph',
    title: 'Enough',
    question: 'Which few parts are enough for the answer?',
    load: () => import('../views/Graph.svelte'),
  },
  {
    id: 'trust',
    title: 'Trust',
    question: 'Is this map better than a map that knows nothing?',
    load: () => import('../views/Trust.svelte'),
  },
  {
    id: 'sanity',
    title: 'Sanity lab',
    question: 'What happens to the maps if the model forgets what it has learned?',
    load: () => import('../views/Sanity.svelte'),
  },
  {
    id: 'inside',
    title: 'Inside',
    question: 'What do the stages of the network look at?',
    load: () => import('../views/Inside.svelte'),
  },
  {
    id: 'many',
    title: 'Many pictures',
    question: 'In which pictures does the model look where it should not?',
    load: () => import('../views/Cohort.svelte'),
  },
];
