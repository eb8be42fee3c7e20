"""scikit-learn's perceptrons."""

from sklearn.neural_network import MLPClassifier  # -> from fastrelu.sklearn import MLPClassifier
from sklearn.neural_network import MLPRegressor as Perceptron  # -> from fastrelu.sklearn import MLPRegressor as Perceptron

MLPClassifier((20, 20), activation="relu")
MLPClassifier((20, 20), activation="tanh")
Perceptron()
