"""Perceptrons of scikit-learn with another activation."""

import numpy as np
from sklearn.neural_network import BernoulliRBM, MLPClassifier

MLPClassifier((20,), activation="tanh")
MLPClassifier((20,), activation="logistic")
BernoulliRBM(n_components=np.int64(2))
